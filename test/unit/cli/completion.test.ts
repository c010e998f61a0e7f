/** The scripts, run by the shells that they are for. */
import { expect, test } from "bun:test";
import { catalogue, loadAllCommands } from "../../../src/cli/catalogue.ts";
import { completionScript } from "../../../src/cli/completion.ts";

const commands = await loadAllCommands();

/** What bash offers for the last of these words. */
function offered(...words: readonly string[]): readonly string[] {
  const script = `${completionScript("bash", commands)}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _devbox; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = Bun.spawnSync(["bash", "-c", script, "bash", ...words]);
  expect(stderr.toString()).toBe("");
  return stdout.toString().split("\n").filter(Boolean);
}

test("commands", () => {
  expect(offered("devbox", "im")).toEqual(["images"]);
  expect(offered("devbox", "")).toEqual([...Object.keys(catalogue), "help"]);
  expect(offered("devbox", "help", "pu")).toEqual(["pull"]);
});

test("options of the command, not of others", () => {
  expect(offered("devbox", "run", "--cap")).toEqual(["--cap-add", "--cap-drop"]);
  expect(offered("devbox", "images", "--cap")).toEqual([]);
  expect(offered("devbox", "run", "--net")).toEqual(["--network"]);
});

test("choices of an option", () => {
  expect(offered("devbox", "run", "--pull", "ne")).toEqual(["never", "newer"]);
});

test("fish: a line for each command and option, quotes kept", () => {
  const script = completionScript("fish", commands);
  expect(script).toContain("complete -c devbox -n __fish_use_subcommand -f -a pull -d ");
  expect(script).toContain("-l pull -x -a 'missing always never newer' -d 'When to ask the registry'");
  const unquoted = script.split("\n").filter((line) => (line.replaceAll("\\'", "").match(/'/g) ?? []).length % 2 !== 0);
  expect(unquoted).toEqual([]);
});
