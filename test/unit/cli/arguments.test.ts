import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseArguments } from "../../../src/cli/arguments.ts";
import { defineCommand, everyCommand } from "../../../src/cli/command.ts";
import { runFlags } from "../../../src/cli/run-flags.ts";
import { DevboxError } from "../../../src/core/errors.ts";

const run = defineCommand({
  meta: { name: "run", description: "" },
  args: runFlags,
  cutAtFirstPositional: true,
  examples: [],
  run: async () => 0,
});

const pull = defineCommand({
  meta: { name: "pull", description: "" },
  args: {
    image: { type: "positional", description: "", variadic: true },
    quiet: { type: "boolean", alias: "q" },
    retries: { type: "string", default: "3" },
    token: { type: "string", required: true, valueHint: "TEXT" },
    ...everyCommand,
  },
  examples: [],
  run: async () => 0,
});

function values(words: readonly string[]) {
  const line = parseArguments(run, words);
  if (line.help) throw new Error("help was not asked for");
  return line.values;
}

/** What is wrong, without the command's name, and the hint. */
function failure(act: () => unknown): { what: string; hint: string | undefined } {
  try {
    act();
  } catch (error) {
    if (error instanceof DevboxError && error.code === "USAGE") {
      return { what: error.message.replace(/^devbox \w+: /, ""), hint: error.hint };
    }
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("the line is cut at the image", () => {
  test("options behind it belong to the box", () => {
    const { image, command, label, tty } = values(["-t", "alpine", "ls", "-l", "--rm", "--tty=false"]);
    expect({ image, command, label, tty }).toEqual({
      image: "alpine",
      command: ["ls", "-l", "--rm", "--tty=false"],
      label: [],
      tty: true,
    });
  });

  test("one -- before or behind the image is ours", () => {
    expect(values(["alpine", "--", "echo", "hi"]).command).toEqual(["echo", "hi"]);
    expect(values(["--rm", "--", "alpine", "echo", "hi"]).command).toEqual(["echo", "hi"]);
    expect(values(["alpine", "--", "git", "log", "--", "x"]).command).toEqual(["git", "log", "--", "x"]);
    expect(values(["alpine", "git", "log", "--", "x"]).command).toEqual(["git", "log", "--", "x"]);
  });

  test("whatever the box's command is, it arrives as it was", () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 6 }), (command) => {
        expect(values(["-i", "alpine", "--", ...command]).command).toEqual(command);
      }),
    );
  });

  test("without an image there is nothing to run", () => {
    expect(failure(() => values(["--rm"])).what).toBe("IMAGE is missing");
  });
});

describe("spellings of pflag", () => {
  for (const words of [["-e", "A=1"], ["-eA=1"], ["-e=A=1"], ["--env", "A=1"], ["--env=A=1"]]) {
    test(words.join(" "), () => {
      const { env, image } = values([...words, "alpine"]);
      expect({ env, image }).toEqual({ env: ["A=1"], image: "alpine" });
    });
  }

  test("repeated options are lists, in order; of others the last counts", () => {
    expect(values(["-e", "A=1", "--name", "a", "--env=B=2", "-eA=3", "--name=b", "x"])).toMatchObject({
      env: ["A=1", "B=2", "A=3"],
      name: "b",
    });
  });

  test("bundles: flags, and a value at the end", () => {
    expect(values(["-it", "x"])).toMatchObject({ interactive: true, tty: true });
    expect(values(["-itw/src", "x"])).toMatchObject({ interactive: true, tty: true, workdir: "/src" });
    expect(values(["-itw", "/src", "x"])).toMatchObject({ tty: true, workdir: "/src", image: "x" });
    expect(values(["-it=false", "x"])).toMatchObject({ interactive: true, tty: false });
  });

  test("booleans: bare, with a value, negated", () => {
    expect(values(["--init", "x"]).init).toBe(true);
    expect(values(["--init=true", "x"]).init).toBe(true);
    expect(values(["--init=F", "x"]).init).toBe(false);
    expect(values(["--no-init", "x"]).init).toBe(false);
    expect(values(["x"]).init).toBeUndefined();
    expect(values(["--no-tls-verify", "x"])["tls-verify"]).toBe(false);
    expect(failure(() => values(["--init=maybe", "x"])).what).toBe('option --init is true or false, not "maybe"');
    expect(failure(() => values(["--no-init=true", "x"])).what).toBe("--no-init takes no value");
  });

  test("a boolean takes no word: the next one is the image", () => {
    expect(values(["--rm", "false"]).image).toBe("false");
  });

  test("a value may begin with a dash, be empty, and hold equals signs", () => {
    expect(values(["--entrypoint", "-x", "-l", "a=b=c", "--name=", "img"])).toMatchObject({
      entrypoint: "-x",
      label: ["a=b=c"],
      name: "",
    });
  });

  test("a lone dash is a word", () => {
    expect(values(["-", "x"])).toMatchObject({ image: "-", command: ["x"] });
  });

  test("defaults", () => {
    expect(values(["x"])).toMatchObject({ pull: "missing", network: "slirp4netns", "tls-verify": true, env: [] });
  });
});

describe("slips are errors", () => {
  const cases: readonly (readonly [readonly string[], string, string])[] = [
    [["--evn", "A=1", "x"], "unknown option --evn", "did you mean --env? see: devbox run --help"],
    [["--read-onyl", "x"], "unknown option --read-onyl", "did you mean --read-only? see: devbox run --help"],
    [["--priv", "x"], "unknown option --priv", "did you mean --privileged? see: devbox run --help"],
    [["--no-inti", "x"], "unknown option --no-inti", "did you mean --no-init? see: devbox run --help"],
    [["--xyzzy=1", "x"], "unknown option --xyzzy", "see: devbox run --help"],
    [["-rm", "x"], "unknown option -r in -rm", "did you mean --rm? see: devbox run --help"],
    [["-x", "x"], "unknown option -x", "see: devbox run --help"],
    [["--env"], "option --env needs a value: NAME[=VALUE]", "see: devbox run --help"],
    [["-e"], "option -e needs a value: NAME[=VALUE]", "see: devbox run --help"],
    [
      ["--pull", "often", "x"],
      'option --pull is one of missing, always, never, newer, not "often"',
      "see: devbox run --help",
    ],
  ];
  for (const [words, what, hint] of cases) {
    test(words.join(" "), () => expect(failure(() => values(words))).toEqual({ what, hint }));
  }

  test("names of Object.prototype are no options", () => {
    for (const word of ["--constructor", "--__proto__", "--toString", "--hasOwnProperty=1"]) {
      expect(failure(() => values([word, "x"])).what).toStartWith("unknown option");
    }
  });

  test("positionals are no options", () => {
    expect(failure(() => values(["--image", "x"])).what).toBe("unknown option --image");
  });

  test("no input makes it throw anything but USAGE", () => {
    const words = fc.array(
      fc.oneof(fc.string(), fc.constantFrom("-", "--", "-e", "--env", "-it", "--no-", "--=", "-=")),
    );
    fc.assert(
      fc.property(words, (line) => {
        try {
          parseArguments(run, line);
        } catch (error) {
          expect(error).toBeInstanceOf(DevboxError);
          expect(error).toHaveProperty("code", "USAGE");
        }
      }),
    );
  });
});

describe("commands whose words all are ours", () => {
  test("options stand anywhere, up to --", () => {
    const line = parseArguments(pull, ["a", "-q", "--token=t", "b", "--", "-q"]);
    expect(line).toEqual({
      help: false,
      values: { image: ["a", "b", "-q"], quiet: true, retries: "3", token: "t", debug: undefined, help: undefined },
    });
  });

  test("a required option is asked for", () => {
    expect(failure(() => parseArguments(pull, ["a"])).what).toBe("option --token is missing: TEXT");
  });

  test("--help needs nothing else", () => {
    expect(parseArguments(pull, ["--help"])).toEqual({ help: true });
    expect(parseArguments(run, ["--help"])).toEqual({ help: true });
    expect(parseArguments(run, ["--help=false", "x"]).help).toBe(false);
  });

  test("help of the box's command is the box's", () => {
    expect(values(["alpine", "ls", "--help"]).command).toEqual(["ls", "--help"]);
  });

  test("a surplus word", () => {
    const rmi = defineCommand({
      meta: { name: "rmi", description: "" },
      args: { image: { type: "positional" } },
      examples: [],
      run: async () => 0,
    });
    expect(failure(() => parseArguments(rmi, ["a", "b"])).what).toBe('one word too many: "b"');
  });
});
