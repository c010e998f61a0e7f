/**
 * `--change` of `commit` and `import`: instructions of a Dockerfile, which change how boxes of the image run. The same ones
 * as docker's, read the same way (docs.docker.com, Dockerfile reference); podman's `CMD=…` for `CMD …` too.
 */
import { DevboxError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import type { ImageExecution } from "../../oci/image.ts";
import { readHealthcheck } from "./healthcheck-instruction.ts";
import { expand, splitWords, type Variables } from "./instruction-words.ts";

/** @param rest of the instruction, trimmed, not empty @param before instructions that came before it */
type Instruction = (execution: ImageExecution, rest: string, before: ReadonlySet<string>) => ImageExecution;

const instructions: Readonly<Record<string, Instruction>> = {
  CMD: (execution, rest) => ({ ...execution, Cmd: readCommand(rest, execution) }),
  ENTRYPOINT: setEntrypoint,
  ENV: (execution, rest) => ({ ...execution, Env: mergeEnv(execution.Env ?? [], readPairs(rest, execution)) }),
  EXPOSE: (execution, rest) => ({
    ...execution,
    ExposedPorts: { ...execution.ExposedPorts, ...readPorts(rest, execution) },
  }),
  HEALTHCHECK: (execution, rest) => ({
    ...execution,
    Healthcheck: readHealthcheck(rest, readExec),
  }),
  LABEL: (execution, rest) => ({
    ...execution,
    Labels: { ...execution.Labels, ...Object.fromEntries(readPairs(rest, execution)) },
  }),
  ONBUILD: (execution, rest) => ({ ...execution, OnBuild: [...(execution.OnBuild ?? []), checkTrigger(rest)] }),
  STOPSIGNAL: (execution, rest) => ({ ...execution, StopSignal: checkSignal(expandAll(rest, execution)) }),
  USER: (execution, rest) => ({ ...execution, User: expandAll(rest, execution) }),
  VOLUME: (execution, rest) => ({ ...execution, Volumes: { ...execution.Volumes, ...readVolumes(rest, execution) } }),
  WORKDIR: (execution, rest) => ({
    ...execution,
    WorkingDir: joinPath(execution.WorkingDir, expandAll(rest, execution)),
  }),
};

/**
 * How boxes run after the changes, one after the other.
 * @param changes each an instruction, or several on lines of their own
 * @throws DevboxError USAGE naming the instruction and what is wrong with it
 */
export function applyChanges(execution: ImageExecution, changes: readonly string[]): ImageExecution {
  const before = new Set<string>();
  let result = execution;
  for (const line of changes.flatMap(splitLines)) {
    const [name, rest] = splitInstruction(line);
    result = perform(line, name, rest, (instruction) => instruction(result, rest, before));
    before.add(name);
  }
  return result;
}

/** A backslash at the end of a line joins it with the next. */
function splitLines(text: string): readonly string[] {
  return text
    .replace(/\\[ \t]*\r?\n/g, "")
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

function splitInstruction(line: string): readonly [name: string, rest: string] {
  const [, name = "", rest = ""] = /^([A-Za-z]+)(?:=|\s+|$)(.*)$/s.exec(line) ?? [];
  return [name.toUpperCase(), rest.trim()];
}

function perform<T>(line: string, name: string, rest: string, action: (instruction: Instruction) => T): T {
  const step = `read --change ${JSON.stringify(line)}`;
  const instruction = Object.hasOwn(instructions, name) ? instructions[name] : undefined;
  if (instruction === undefined) {
    const known = Object.keys(instructions);
    const guess = nearest(name, known);
    throw new DevboxError("USAGE", {
      step,
      because: `it begins with none of the instructions ${known.join(", ")}`,
      hint: guess === undefined ? `for example --change 'CMD ["sh"]'` : `did you mean ${guess}?`,
    });
  }
  const hint = examples[name];
  const details = { step, ...(hint === undefined ? {} : { hint: `for example --change '${hint}'` }) };
  if (rest === "") throw new DevboxError("USAGE", { ...details, because: `${name} needs a value` });
  try {
    return action(instruction);
  } catch (error) {
    throw new DevboxError("USAGE", { ...details, because: error instanceof Error ? error.message : String(error) });
  }
}

const examples: Readonly<Record<string, string>> = {
  CMD: 'CMD ["server","--port","80"]',
  ENTRYPOINT: 'ENTRYPOINT ["/usr/bin/tini","--"]',
  ENV: 'ENV NAME=value OTHER="a b"',
  EXPOSE: "EXPOSE 80 53/udp",
  HEALTHCHECK: "HEALTHCHECK --interval=30s CMD curl -f http://127.0.0.1/",
  LABEL: "LABEL org.opencontainers.image.title=name",
  ONBUILD: "ONBUILD COPY . /src",
  STOPSIGNAL: "STOPSIGNAL SIGINT",
  USER: "USER nobody",
  VOLUME: "VOLUME /data",
  WORKDIR: "WORKDIR /srv",
};

/** "If CMD is defined from the base image, setting ENTRYPOINT will reset CMD to an empty value" (Dockerfile reference). */
function setEntrypoint(execution: ImageExecution, rest: string, before: ReadonlySet<string>): ImageExecution {
  const { Cmd, ...others } = execution;
  const kept = before.has("CMD") && Cmd !== undefined ? { Cmd } : {};
  return { ...others, ...kept, Entrypoint: readCommand(rest, execution) };
}

/** A JSON list of strings is the command as it is; everything else is a line for the shell, also what is nearly JSON. */
function readCommand(rest: string, { Shell }: ImageExecution): readonly string[] {
  return readExec(rest) ?? [...(Shell ?? ["/bin/sh", "-c"]), rest];
}

function readExec(rest: string): readonly string[] | undefined {
  if (!rest.startsWith("[")) return undefined;
  try {
    const list: unknown = JSON.parse(rest);
    return Array.isArray(list) && list.every((item): item is string => typeof item === "string") ? list : undefined;
  } catch {
    return undefined;
  }
}

/** `NAME=VALUE …`, or the old `NAME VALUE`, whose value is all the rest. */
function readPairs(rest: string, execution: ImageExecution): readonly (readonly [string, string])[] {
  const words = splitWords(rest);
  const [first = ""] = words;
  if (!first.includes("=")) {
    const value = rest.slice(first.length).trim();
    if (value === "") throw new Error(`${first} has no value`);
    return [checkPair(expandAll(first, execution), expandAll(value, execution))];
  }
  return words.map((word) => {
    const equals = word.indexOf("=");
    if (equals < 0) throw new Error(`${word} is not of the form NAME=VALUE`);
    return checkPair(expandAll(word.slice(0, equals), execution), expandAll(word.slice(equals + 1), execution));
  });
}

function checkPair(name: string, value: string): readonly [string, string] {
  if (name === "") throw new Error("a name is empty");
  return [name, value];
}

/** A variable keeps its place in the list. */
function mergeEnv(env: readonly string[], pairs: readonly (readonly [string, string])[]): readonly string[] {
  const merged = new Map(env.map((text): [string, string] => [text.split("=", 1)[0] ?? "", text]));
  for (const [name, value] of pairs) merged.set(name, `${name}=${value}`);
  return [...merged.values()];
}

/** `80`, `80/udp`, `8000-8010/tcp`. */
function readPorts(rest: string, execution: ImageExecution): Readonly<Record<string, object>> {
  const ports = splitWords(rest).flatMap((word) => {
    const text = expandAll(word, execution);
    const [, first = "", last = first, protocol = "tcp"] =
      /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (first === "" || from < 1 || to > 65535 || to < from) throw new Error(`${text} is no port`);
    return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}/${protocol.toLowerCase()}`);
  });
  return Object.fromEntries(ports.map((port) => [port, {}]));
}

function readVolumes(rest: string, execution: ImageExecution): Readonly<Record<string, object>> {
  const paths = readExec(rest) ?? splitWords(rest).map((word) => expandAll(word, execution));
  if (paths.length === 0 || paths.includes("")) throw new Error("a path is empty");
  return Object.fromEntries(paths.map((path) => [path, {}]));
}

/** Of the instruction alone; `ONBUILD ONBUILD` and `ONBUILD FROM` are refused by docker's builder, too. */
function checkTrigger(rest: string): string {
  const name = /^[A-Za-z]+/.exec(rest)?.[0]?.toUpperCase();
  if (name === undefined) throw new Error("what follows is no instruction");
  if (["ONBUILD", "FROM", "MAINTAINER"].includes(name)) throw new Error(`${name} cannot be triggered`);
  return rest;
}

function checkSignal(text: string): string {
  if (/^(?:\d{1,2}|(?:SIG)?[A-Z][A-Z0-9]*(?:[+-]\d{1,2})?)$/.test(text)) return text;
  throw new Error(`${text} is no signal`);
}

/** A path that does not begin with / goes on from the one before. */
function joinPath(before: string | undefined, path: string): string {
  const parts = (path.startsWith("/") ? path : `${before ?? ""}/${path}`).split("/");
  const kept: string[] = [];
  for (const part of parts) {
    if (part === "..") kept.pop();
    else if (part !== "" && part !== ".") kept.push(part);
  }
  return `/${kept.join("/")}`;
}

function expandAll(text: string, { Env = [] }: ImageExecution): string {
  const variables: Variables = (name) => {
    const found = Env.findLast((each) => each.startsWith(`${name}=`));
    return found?.slice(name.length + 1);
  };
  return expand(text, variables);
}
