import { expect, test } from "bun:test";
import { boxCommand } from "../../../src/bundle/command.ts";
import { failureOf } from "../../helpers/failure.ts";

const image = { Entrypoint: ["/entry", "-e"], Cmd: ["cmd"] };

test.each([
  ["image alone", image, undefined, [], ["/entry", "-e", "cmd"]],
  ["command replaces Cmd", image, undefined, ["ls", "-l"], ["/entry", "-e", "ls", "-l"]],
  ["--entrypoint drops Cmd", image, ["sh"], [], ["sh"]],
  ["--entrypoint with a command", image, ["sh"], ["-c", "x"], ["sh", "-c", "x"]],
  ["--entrypoint '' clears", image, [""], ["ls"], ["ls"]],
  ["an empty list clears", image, [], ["ls"], ["ls"]],
  ["Cmd alone", { Cmd: ["bash"] }, undefined, [], ["bash"]],
  ["no Cmd", { Entrypoint: ["/e"] }, undefined, [], ["/e"]],
])("%s", (_, execution, entrypoint, command, args) => {
  expect(boxCommand(execution, { entrypoint, command })).toEqual(args);
});

test.each([
  ["nothing at all", {}, undefined, []],
  ["cleared and nothing given", image, [""], []],
  ["an empty name", {}, undefined, [""]],
])("%s", (_, execution, entrypoint, command) => {
  expect(failureOf(() => boxCommand(execution, { entrypoint, command })).code).toBe("NO_COMMAND");
});
