// Packed cells (`types.wit`): a tag byte, then the value. Tags: 0 null, 1 integer, 2 double, 3 text, 4 blob.

import { textAt } from "./abi";

/** Reads cells one after the other. */
export class Cells {
  end: usize;
  constructor(public at: usize, length: usize) {
    this.end = at + length;
  }

  /** Passes over some cells, whatever they are. */
  skip(count: i32): void {
    for (let i = 0; i < count; i++) {
      const tag = this.tag();
      if (tag == 1 || tag == 2) this.at += 8;
      else if (tag == 3 || tag == 4) this.at += 4 + load<u32>(this.at);
    }
  }

  /** The next cell as a text; empty when it is null. */
  text(): string {
    const tag = this.tag();
    if (tag == 0) return "";
    if (tag != 3) throw new Error("a text was expected");
    const length = load<u32>(this.at);
    const from = this.at + 4;
    this.at = from + length;
    return textAt(from, length);
  }

  /** The next cell as an integer. */
  integer(): i64 {
    if (this.tag() != 1) throw new Error("an integer was expected");
    const value = load<i64>(this.at);
    this.at += 8;
    return value;
  }

  private tag(): u8 {
    if (this.at >= this.end) throw new Error("there are fewer cells than the manifest declares");
    return load<u8>(this.at++);
  }
}

/** Packs cells. */
export class Packed {
  bytes: Array<u8> = [];

  text(value: string): Packed {
    const utf8 = Uint8Array.wrap(String.UTF8.encode(value));
    this.bytes.push(3);
    for (let i = 0; i < 32; i += 8) this.bytes.push(<u8>(utf8.length >> i));
    for (let i = 0; i < utf8.length; i++) this.bytes.push(utf8[i]);
    return this;
  }

  get at(): usize {
    return this.bytes.dataStart;
  }
  get length(): usize {
    return this.bytes.length;
  }
}
