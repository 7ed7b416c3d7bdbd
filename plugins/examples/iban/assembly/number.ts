// What an IBAN is (ISO 13616): two letters, two check digits, up to 30 letters and digits; the whole modulo 97 is 1.

/** Without blanks and hyphens, in capitals. */
export function compact(text: string): string {
  let out = "";
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code == 0x20 || code == 0xa0 || code == 0x2d) continue;
    out += text.charAt(i).toUpperCase();
  }
  return out;
}

/** What is wrong with a compact number, as a code; empty when nothing is. */
export function fault(iban: string): string {
  if (iban.length < 15 || iban.length > 34) return "iban_length";
  for (let i = 0; i < iban.length; i++) {
    const code = iban.charCodeAt(i);
    const digit = code >= 0x30 && code <= 0x39;
    const letter = code >= 0x41 && code <= 0x5a;
    if (i < 2 ? !letter : i < 4 ? !digit : !digit && !letter) return "iban_form";
  }
  let rest: u32 = 0;
  for (let i = 0; i < iban.length; i++) {
    const code = iban.charCodeAt((i + 4) % iban.length);
    rest = code < 0x41 ? (rest * 10 + code - 0x30) % 97 : (rest * 100 + code - 0x37) % 97;
  }
  return rest == 1 ? "" : "iban_check_digits";
}

/** The same for people. */
export function words(code: string): string {
  if (code == "iban_length") return "an IBAN has 15 to 34 characters";
  if (code == "iban_form") return "an IBAN is two letters, two digits, then letters and digits";
  return "the check digits do not fit: a character is wrong or two changed places";
}
