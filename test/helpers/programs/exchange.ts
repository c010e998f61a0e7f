/** Exchanges two names of the working directory again and again (renameat2(2), RENAME_EXCHANGE), until it is killed. */
import { dlopen } from "bun:ffi";

const { symbols } = dlopen("libc.so.6", {
  renameat2: { args: ["i32", "cstring", "i32", "cstring", "u32"], returns: "i32" },
});
const [first, second] = process.argv.slice(2).map((name) => Buffer.from(`${name}\0`));
const [here, exchange] = [-100, 2];
if (first === undefined || second === undefined) throw new Error("two names are wanted");
for (let done = 0; ; done++) {
  if (symbols.renameat2(here, first, here, second, exchange) !== 0) throw new Error("renameat2 failed");
  if (done === 0) console.log("begun");
}
