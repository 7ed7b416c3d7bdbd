// Builds the package: `npm ci && node build.mjs <folder of the contract's .wit files> <folder for the package>`.
//
// AssemblyScript makes a core module, binaryen gives its exports the contract's names, and the component tools of jco
// describe it with the world of `wit/` and wrap it into a component.

import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { componentEmbed, componentNew } from "@bytecodealliance/jco-transpile/wasm-tools";
import asc from "assemblyscript/asc";
import binaryen from "binaryen";

const PACKAGE = "package stoa:plugin@1.0.0;";

/** The world of `wit/world.wit` and the contract in one text: the contract's files become a package in braces. */
function wit() {
  const files = readdirSync(contract).filter((name) => name.endsWith(".wit")).sort();
  const parts = files.map((name) => {
    const text = readFileSync(join(contract, name), "utf8");
    const at = text.indexOf(PACKAGE);
    if (at < 0) throw new Error(`${name} is of another version of the contract`);
    return text.slice(at + PACKAGE.length);
  });
  return `${readFileSync("wit/world.wit", "utf8")}\npackage stoa:plugin@1.0.0 {\n${parts.join("\n")}\n}\n`;
}

const [contract, out] = process.argv.slice(2);
if (!contract || !out) throw new Error("node build.mjs CONTRACT OUT");
const here = dirname(fileURLToPath(import.meta.url));
process.chdir(here);

/** What the functions of `assembly/index.ts` are called in the contract. */
const EXPORTS = {
  describe: "stoa:plugin/manifest@1.0.0#describe",
  run: "stoa:plugin/hooks@1.0.0#run",
  invoke: "stoa:plugin/actions@1.0.0#invoke",
  report: "stoa:plugin/reports@1.0.0#run",
};

const manifest = readFileSync("manifest.json", "utf8");
writeFileSync("assembly/manifest.ts", `export const MANIFEST = ${JSON.stringify(manifest)};\n`);
const compiled = await asc.main([
  "assembly/index.ts", "--outFile", "core.wasm", "--optimizeLevel", "3", "--shrinkLevel", "1",
  "--runtime", "stub", "--use", "abort=assembly/host/abort",
]);
if (compiled.error) throw new Error(`${compiled.error.message}\n${compiled.stderr}`);

const module = binaryen.readBinary(readFileSync("core.wasm"));
for (const [own, name] of Object.entries(EXPORTS)) {
  const inner = binaryen.getExportInfo(module.getExport(own)).value;
  module.removeExport(own);
  module.addFunctionExport(inner, name);
}
module.removeExport("abort");
const core = module.emitBinary();

const embedded = await componentEmbed({ binary: core, witSource: wit(), world: "component" });
const component = await componentNew(embedded, []);

mkdirSync(out, { recursive: true });
writeFileSync(join(out, "component.wasm"), component);
writeFileSync(join(out, "manifest.json"), manifest);
cpSync("sql.json", join(out, "sql.json"));
console.log(`${join(out, "component.wasm")}: ${component.length} bytes`);
