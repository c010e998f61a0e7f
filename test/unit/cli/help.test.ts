import { expect, test } from "bun:test";
import { catalogue, loadSections } from "../../../src/cli/catalogue.ts";
import { defineCommand, everyCommand } from "../../../src/cli/command.ts";
import { commandHelp, overview } from "../../../src/cli/help.ts";

const sample = defineCommand({
  meta: { name: "sample", description: "Do something" },
  args: {
    image: { type: "positional", description: "Which" },
    words: { type: "positional", description: "More", required: false, variadic: true },
    env: { type: "string", multiple: true, alias: "e", valueHint: "NAME=VALUE", description: "A variable" },
    "a-very-long-option": { type: "string", valueHint: "WITH-A-LONG-VALUE", description: "Long" },
    plan: { type: "string", valueHint: "P", description: `Long ${"and longer ".repeat(8)}to read` },
    mode: { type: "enum", options: ["fast", "slow"], default: "fast", description: "How", group: "Manner" },
    secret: { type: "string", hidden: true, description: "not for show" },
    ...everyCommand,
  },
  examples: [["devbox sample x", "the least"]],
  notes: ["A note."],
  run: async () => 0,
});

test("a command's help: usage, groups, notes, examples", async () => {
  expect(await commandHelp(sample, false, 100)).toMatchInlineSnapshot(`
    "Do something

    Usage: devbox sample [OPTIONS] IMAGE [WORDS…]

    Arguments:
      IMAGE                           Which (Required)
      WORDS                           More

    Options:
      -e, --env=<NAME=VALUE>          A variable
          --a-very-long-option=<WITH-A-LONG-VALUE>
                                      Long
          --plan=<P>                  Long and longer and longer and longer and longer and longer and
                                      longer and longer and longer to read

    Manner:
          --mode=<fast|slow>          How (Default: fast)

    Output:
          --debug                     Say what is done; on an error, print its code, its plan step and
                                      the stack
      -h, --help                      Print this help

    A note.

    Examples:
      # the least
      devbox sample x
    "
  `);
});

test("colours come only when asked for, whatever the environment says to citty", async () => {
  expect(await commandHelp(sample, true, 100)).toContain("\x1b[1mUsage:\x1b[22m");
  expect(Bun.stripANSI(await commandHelp(sample, true, 100))).toBe(await commandHelp(sample, false, 100));
});

test("lines are as long as the terminal is wide", async () => {
  const lines = (await commandHelp(sample, false, 80)).split("\n");
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
});

test("a group: its commands, and where they also are", async () => {
  const help = await commandHelp((await import("../../../src/cli/commands/system.ts")).default, false, 100);
  expect(help).toStartWith(
    "Commands on everything, as docker groups them\n\nUsage: devbox system COMMAND [OPTIONS] …\n\n" +
      "Commands:\n  df      Show how much room images, boxes and volumes take\n",
  );
});

for (const [name, load] of Object.entries(catalogue)) {
  test(`devbox ${name}: its name, every option described, an example that begins with it, no line with spaces at its end`, async () => {
    const { default: command } = await load();
    expect(command.meta.name).toBe(name);
    for (const def of Object.values(command.args)) expect(def.description).toMatch(/\S/);
    expect(command.examples.some(([line]) => line.includes(`devbox ${name}`))).toBe(true);
    const help = await commandHelp(command, false, 100);
    expect(help).not.toMatch(/ $/m);
    for (const line of help.split("\nExamples:")[0]?.split("\n") ?? []) expect(line.length).toBeLessThanOrEqual(100);
    for (const [option, def] of Object.entries(command.args)) {
      if (def.type !== "positional" && !def.hidden) expect(help).toContain(`--${option}`);
    }
  });

  test(`devbox ${name}: no letter and no name twice`, async () => {
    const { default: command } = await load();
    const letters = Object.values(command.args).flatMap((def) => (def.type === "positional" ? [] : [def.alias].flat()));
    const used = letters.filter((letter) => letter !== undefined);
    expect(used).toEqual([...new Set(used)]);
    for (const letter of used) expect(letter).toMatch(/^[a-zA-Z]$/);
  });
}

test("the overview names every command", async () => {
  const text = overview(await loadSections(), false);
  for (const name of Object.keys(catalogue)) expect(text).toMatch(new RegExp(`^ {2}${name} `, "m"));
  for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
});
