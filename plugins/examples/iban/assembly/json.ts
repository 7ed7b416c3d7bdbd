// As much JSON as this plugin needs: the host has checked inputs against the manifest's schema, so an input here is an
// object whose members are texts.

/** A text member of a JSON object; empty when it is not there. */
export function member(json: string, name: string): string {
  let at = 0;
  while (at < json.length) {
    at = json.indexOf('"', at);
    if (at < 0) return "";
    const key = new Scanned(json, at);
    let next = key.end;
    while (next < json.length && isSpace(json.charCodeAt(next))) next++;
    if (json.charCodeAt(next) != 0x3a) return "";
    const value = new Scanned(json, json.indexOf('"', next));
    if (key.text == name) return value.text;
    at = value.end;
  }
  return "";
}

/** A text as JSON. */
export function quoted(text: string): string {
  let out = '"';
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code == 0x22 || code == 0x5c) out += "\\" + text.charAt(i);
    else if (code < 0x20) out += "\\u00" + (code < 16 ? "0" : "") + code.toString(16);
    else out += text.charAt(i);
  }
  return out + '"';
}

function isSpace(code: i32): bool {
  return code == 0x20 || (code >= 0x09 && code <= 0x0d);
}

/** A JSON text that begins with the quotation mark at `at`. */
class Scanned {
  text: string = "";
  end: i32 = 0;
  constructor(json: string, at: i32) {
    let i = at + 1;
    while (i < json.length && json.charCodeAt(i) != 0x22) {
      let code = json.charCodeAt(i++);
      if (code == 0x5c) {
        code = json.charCodeAt(i++);
        if (code == 0x6e) code = 0x0a;
        else if (code == 0x72) code = 0x0d;
        else if (code == 0x74) code = 0x09;
        else if (code == 0x62) code = 0x08;
        else if (code == 0x66) code = 0x0c;
        else if (code == 0x75) {
          code = <i32>parseInt(json.substr(i, 4), 16);
          i += 4;
        }
      }
      this.text += String.fromCharCode(code);
    }
    this.end = i + 1;
  }
}
