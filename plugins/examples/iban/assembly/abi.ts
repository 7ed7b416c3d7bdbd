// The canonical ABI by hand: how texts, lists, records and results lie in the component's memory. `sdk/wit` says what is
// passed; this file says where. Nothing is ever freed: each call has a fresh instance.

/** Where the host puts what it passes in: it asks for room here. */
export function cabi_realloc(old: usize, oldSize: usize, align: usize, size: usize): usize {
  const fresh = heap.alloc(size); // on 16 bytes, more than any type of the contract asks for
  if (old) memory.copy(fresh, old, min(oldSize, size));
  return fresh;
}

/** Room for a value, all zeros: an absent option, an empty list and an empty text are zeros. */
export function room(size: usize): usize {
  const at = heap.alloc(size);
  memory.fill(at, 0, size);
  return at;
}

/** A text that was passed as address and length, in UTF-8. */
export function textAt(at: usize, length: usize): string {
  return String.UTF8.decodeUnsafe(at, length);
}

/** Writes a text's address and length, two words. */
export function putText(at: usize, value: string): void {
  const bytes = String.UTF8.encode(value);
  store<u32>(at, <u32>changetype<usize>(bytes));
  store<u32>(at, <u32>bytes.byteLength, 4);
}

/** The bytes of a text, for a parameter: a text is passed as two parameters, address and length. */
export class Text {
  bytes: ArrayBuffer;
  constructor(value: string) {
    this.bytes = String.UTF8.encode(value);
  }
  get at(): usize {
    return changetype<usize>(this.bytes);
  }
  get length(): usize {
    return this.bytes.byteLength;
  }
}

// `result<…, refusal>`: one byte says which, the value begins at 4. The refusal is the longest: three texts, a list of
// failures and a text, 40 bytes.
export const RESULT: usize = 44;
export const VALUE: usize = 4;

/** `result<string, refusal>`, the good one. */
export function answer(value: string): usize {
  const result = room(RESULT);
  putText(result + VALUE, value);
  return result;
}

/** Any result of the contract, refused. */
export function refuse(kind: string, code: string, detail: string): usize {
  const result = room(RESULT);
  store<u8>(result, 1);
  putText(result + 4, kind);
  putText(result + 12, code);
  putText(result + 20, detail);
  return result;
}

/** Writes one `failure`, three texts. */
export function putFailure(at: usize, pointer: string, code: string, detail: string): void {
  putText(at, pointer);
  putText(at + 8, code);
  putText(at + 16, detail);
}
