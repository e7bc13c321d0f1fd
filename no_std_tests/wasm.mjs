// Runs the WebAssembly build of the golden streams: node wasm.mjs golden.wasm
import { readFileSync } from "node:fs";

let memory;
const write = (text, len) =>
  process.stdout.write(new Uint8Array(memory.buffer, text, len).slice());
const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), { host: { write } });
memory = instance.exports.memory;
instance.exports.start();
