/** --change: instructions as docker's builder reads them. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { applyChanges } from "../../../src/image/make/changes-to-config.ts";
import { expand, splitWords } from "../../../src/image/make/instruction-words.ts";
import type { ImageExecution } from "../../../src/oci/image.ts";

const base = { Env: ["PATH=/bin", "HOME=/root"], Cmd: ["sh"], WorkingDir: "/srv" } satisfies ImageExecution;

describe("one instruction", () => {
  test.each<[change: string, result: ImageExecution]>([
    ['CMD ["a", "b c"]', { Cmd: ["a", "b c"] }],
    ["cmd echo $HOME && exit", { Cmd: ["/bin/sh", "-c", "echo $HOME && exit"] }],
    ["CMD ['a']", { Cmd: ["/bin/sh", "-c", "['a']"] }],
    ["CMD=/bin/top", { Cmd: ["/bin/sh", "-c", "/bin/top"] }],
    [
      "ENV A=1 B='x y' C=\"$HOME/z\" D=a\\ b",
      { Env: ["PATH=/bin", "HOME=/root", "A=1", "B=x y", "C=/root/z", "D=a b"] },
    ],
    ["ENV PATH=/opt/bin:$PATH", { Env: ["PATH=/opt/bin:/bin", "HOME=/root"] }],
    ['ENV GREETING hello  "big" world', { Env: ["PATH=/bin", "HOME=/root", "GREETING=hello  big world"] }],
    ["ENV A=1 B=$A", { Env: ["PATH=/bin", "HOME=/root", "A=1", "B="] }],
    [
      "EXPOSE 80 53/UDP 8000-8002",
      { ExposedPorts: { "80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {}, "8002/tcp": {} } },
    ],
    ['LABEL a=b "c d"=e', { Labels: { a: "b", "c d": "e" } }],
    ["USER $HOME", { User: "/root" }],
    ["USER 1000:100", { User: "1000:100" }],
    ["VOLUME /a /b", { Volumes: { "/a": {}, "/b": {} } }],
    ['VOLUME ["/a b"]', { Volumes: { "/a b": {} } }],
    ["WORKDIR sub/../dir", { WorkingDir: "/srv/dir" }],
    ["WORKDIR /", { WorkingDir: "/" }],
    ["STOPSIGNAL SIGRTMIN+3", { StopSignal: "SIGRTMIN+3" }],
    ["ONBUILD RUN make", { OnBuild: ["RUN make"] }],
    ["HEALTHCHECK NONE", { Healthcheck: { Test: ["NONE"] } }],
    [
      "HEALTHCHECK --interval=5s --retries=3 --start-period=1m30s CMD curl -f x",
      { Healthcheck: { Test: ["CMD-SHELL", "curl -f x"], Interval: 5e9, Retries: 3, StartPeriod: 90e9 } },
    ],
    ['HEALTHCHECK CMD ["a","b"]', { Healthcheck: { Test: ["CMD", "a", "b"] } }],
    ['  # a comment\nUSER me \\\n  \nCMD ["x"]', { User: "me", Cmd: ["x"] }],
  ])("%s", (change, result) => {
    expect(applyChanges(base, [change])).toEqual({ ...base, ...result });
  });

  test("ENTRYPOINT takes the image's command away, not one that was given before it", () => {
    expect(applyChanges(base, ['ENTRYPOINT ["e"]'])).toEqual({ Env: base.Env, WorkingDir: "/srv", Entrypoint: ["e"] });
    expect(applyChanges(base, ['CMD ["c"]', 'ENTRYPOINT ["e"]'])).toMatchObject({ Cmd: ["c"], Entrypoint: ["e"] });
  });

  test("the shell form uses the image's shell", () => {
    expect(applyChanges({ Shell: ["/bin/bash", "-ec"] }, ["CMD x"]).Cmd).toEqual(["/bin/bash", "-ec", "x"]);
  });

  test("what is there and not named stays", () => {
    const full: ImageExecution = { ...base, Labels: { a: "1" }, OnBuild: ["RUN a"], ExposedPorts: { "1/tcp": {} } };
    expect(applyChanges(full, ["LABEL b=2", "ONBUILD RUN b", "EXPOSE 2"])).toEqual({
      ...full,
      Labels: { a: "1", b: "2" },
      OnBuild: ["RUN a", "RUN b"],
      ExposedPorts: { "1/tcp": {}, "2/tcp": {} },
    });
    expect(applyChanges(full, [])).toBe(full);
  });
});

test.each([
  ["RUN make", "it begins with none of the instructions CMD, ENTRYPOINT"],
  ["", undefined],
  ["CMD", "CMD needs a value"],
  ["ENV =x", "a name is empty"],
  ["ENV A=1 B", "B is not of the form NAME=VALUE"],
  ["ENV A", "A has no value"],
  ['LABEL a="b', "a quote is not closed"],
  ["USER ${HOME", "${HOME is followed by what is neither"],
  ["USER ${HOME:-x", "a brace is not closed"],
  ["EXPOSE 0", "0 is no port"],
  ["EXPOSE 70000", "70000 is no port"],
  ["EXPOSE 9-8", "9-8 is no port"],
  ["STOPSIGNAL sig kill", "sig kill is no signal"],
  ["ONBUILD FROM x", "FROM cannot be triggered"],
  ["HEALTHCHECK --interval=1 CMD x", "--interval=1 is no time"],
  ["HEALTHCHECK --speed=1s CMD x", "there is no option --speed=1s"],
  ["HEALTHCHECK CMD", "it is neither NONE nor CMD with a command"],
])("%p is refused in words", (change, because) => {
  if (because === undefined) return void expect(applyChanges(base, [change])).toBe(base);
  expect(() => applyChanges(base, [change])).toThrow(
    expect.objectContaining({
      code: "USAGE",
      step: `read --change ${JSON.stringify(change)}`,
      because: expect.stringContaining(because),
    }),
  );
});

describe("words", () => {
  const variables = (name: string) => ({ A: "x", EMPTY: "" })[name];
  test.each([
    ["$A${A}", "xx"],
    ["$AB", ""],
    ["'$A'\"$A\"", "$Ax"],
    ["\\$A", "$A"],
    ['"\\$A \\n \\\\"', "$A \\n \\"],
    ["${A:-n}${EMPTY:-n}${EMPTY-n}${NO-n}", "xnn"],
    ["${A:+s}${EMPTY:+s}${EMPTY+s}${NO+s}", "ss"],
    ["${NO:-${A}'}'}", "x}"],
    ["$ $", "$ $"],
  ])("%s means %s", (word, meaning) => expect(expand(word, variables)).toBe(meaning));

  test("any text comes through quotes as it is, and is one word", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const quoted = `"${text.replace(/["$\\]/g, "\\$&")}"`;
        expect(expand(quoted, () => "never")).toBe(text);
        expect(splitWords(`a ${quoted} b`)).toEqual(["a", quoted, "b"]);
      }),
    );
  });
});
