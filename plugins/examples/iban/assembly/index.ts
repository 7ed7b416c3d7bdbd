// Bank accounts whose numbers are right: a plugin without Rust. `build.mjs` gives these functions the names of the contract.

import { RESULT, VALUE, answer, putFailure, putText, refuse, room, textAt } from "./abi";
import { Cells, Packed } from "./cells";
import { read } from "./host";
import { member, quoted } from "./json";
import { MANIFEST } from "./manifest"; // made of manifest.json by build.mjs
import { compact, fault, words } from "./number";

export { cabi_realloc } from "./abi";
export { abort } from "./host";

const KNOWN = "select count(*) from visible_bank_account where iban = ?1";
const BY_COUNTRY = "select country, count(*) from visible_bank_account group by country order by country";

// A `draft`: id, option of cells before, cells after. A `verdict`: option of cells, list of failures. A failure: 3 texts.
const DRAFT: usize = 40;
const AFTER: usize = 28;
const VERDICT: usize = 20;
const FAILURES: usize = 12;
const FAILURE: usize = 24;
/** `created_at` to `team_id`: the host's columns stand before the declared fields. */
const SYSTEM_COLUMNS = 6;

/** `manifest.describe: func() -> string` */
export function describe(): usize {
  const text = room(8);
  putText(text, MANIFEST);
  return text;
}

/** `hooks.run: func(hook: string, entity: string, drafts: list<draft>) -> result<list<verdict>, refusal>` */
export function run(hook: usize, hookLength: usize, entity: usize, entityLength: usize, drafts: usize, count: u32): usize {
  const verdicts = room(count * VERDICT);
  for (let i: u32 = 0; i < count; i++) {
    const draft = drafts + i * DRAFT;
    judge(new Cells(load<u32>(draft, AFTER), load<u32>(draft, AFTER + 4)), verdicts + i * VERDICT);
  }
  const result = room(RESULT);
  store<u32>(result + VALUE, <u32>verdicts);
  store<u32>(result + VALUE, count, 4);
  return result;
}

function judge(after: Cells, verdict: usize): void {
  after.skip(SYSTEM_COLUMNS);
  const holder = after.text();
  const iban = compact(after.text());
  const code = fault(iban);
  if (code != "") {
    const failure = room(FAILURE);
    putFailure(failure, "/iban", code, words(code));
    store<u32>(verdict + FAILURES, <u32>failure);
    store<u32>(verdict + FAILURES, 1, 4);
    return;
  }
  const fields = new Packed().text(holder).text(iban).text(iban.substr(0, 2));
  store<u8>(verdict, 1);
  store<u32>(verdict, <u32>fields.at, 4);
  store<u32>(verdict, <u32>fields.length, 8);
}

/** `actions.invoke: func(action: string, id: option<record-id>, input: string) -> result<string, refusal>` */
export function invoke(action: usize, actionLength: usize, some: u32, high: u64, low: u64, input: usize, inputLength: usize): usize {
  const name = textAt(action, actionLength);
  if (name != "bank_account.check") return refuse("not-found", "unknown_action", name);
  const iban = compact(member(textAt(input, inputLength), "iban"));
  const code = fault(iban);
  if (code != "") return answer('{"valid":false,"code":' + quoted(code) + ',"detail":' + quoted(words(code)) + "}");
  const rows = read(KNOWN, new Packed().text(iban));
  if (rows.refused) return refuse("failed", rows.code, "the number could not be looked up");
  const known = rows.cells.integer() > 0 ? "true" : "false";
  const country = quoted(iban.substr(0, 2));
  return answer('{"valid":true,"iban":' + quoted(iban) + ',"country":' + country + ',"known":' + known + "}");
}

/** `reports.run: func(report: string, params: string) -> result<output, refusal>` */
export function report(name: usize, nameLength: usize, params: usize, paramsLength: usize): usize {
  const rows = read(BY_COUNTRY, new Packed());
  if (rows.refused) return refuse("failed", rows.code, "the accounts could not be counted");
  const result = room(RESULT);
  // `output`: cells, count, notes. The rows of the query are the rows of the report: nothing is unpacked.
  store<u32>(result + VALUE, rows.at);
  store<u32>(result + VALUE, rows.length, 4);
  store<u32>(result + VALUE, rows.count, 8);
  return result;
}
