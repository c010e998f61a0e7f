/** node:os when it is needed: loading it costs a warm run a fifth of a millisecond, and nothing on its way asks for it. */
export function os(): typeof import("node:os") {
  return require("node:os") as typeof import("node:os");
}
