// The imports of this plugin. A function that answers more than one word gets the address for its answer as the last
// parameter.

import { RESULT, Text, VALUE, room, textAt } from "./abi";
import { Cells, Packed } from "./cells";

@external("stoa:plugin/sql@1.0.0", "read")
declare function sqlRead(text: usize, textLength: usize, params: usize, paramsLength: usize, result: usize): void;

@external("stoa:plugin/log@1.0.0", "write")
declare function logWrite(level: usize, levelLength: usize, message: usize, messageLength: usize): void;

/** A line for the operator and the author. */
export function log(level: string, message: string): void {
  const a = new Text(level);
  const b = new Text(message);
  logWrite(a.at, a.length, b.at, b.length);
}

/** `result<rows, refusal>`: columns, count, cells as address and length, and whether there is more. */
export class Rows {
  constructor(public result: usize) {}
  get refused(): bool {
    return load<u8>(this.result) != 0;
  }
  get count(): u32 {
    return load<u32>(this.result + VALUE, 4);
  }
  get at(): u32 {
    return load<u32>(this.result + VALUE, 8);
  }
  get length(): u32 {
    return load<u32>(this.result + VALUE, 12);
  }
  get cells(): Cells {
    return new Cells(this.at, this.length);
  }
  /** The refusal's code. */
  get code(): string {
    return textAt(load<u32>(this.result, 12), load<u32>(this.result, 16));
  }
}

/** Runs a SELECT. The text must stand in sql.json, letter by letter. */
export function read(text: string, params: Packed): Rows {
  const bytes = new Text(text);
  const result = room(RESULT);
  sqlRead(bytes.at, bytes.length, params.at, params.length, result);
  return new Rows(result);
}

/** What `throw` and a failed check of AssemblyScript come to: a line in the log, then a trap, which undoes the call. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const where = (file ? file! : "?") + ":" + line.toString() + ":" + column.toString();
  log("error", (message ? message! : "stopped") + " at " + where);
  unreachable();
}
