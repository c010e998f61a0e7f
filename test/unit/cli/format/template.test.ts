/** Templates of --format: what docker's users type, and what a slip says. */
import { describe, expect, test } from "bun:test";
import { evaluate } from "../../../../src/cli/format/evaluate.ts";
import { parseTemplate } from "../../../../src/cli/format/parse.ts";
import { toValue, type Value } from "../../../../src/cli/format/value.ts";
import { failureOf } from "../../../helpers/failure.ts";

const box = toValue({
  Id: "abc",
  Name: "/web",
  State: { Running: true, ExitCode: 0, Error: "" },
  Mounts: [{ Destination: "/a" }, { Destination: "/b" }],
  Config: {
    Cmd: ["sh", "-c", "x"],
    Labels: new Map([
      ["b.c", "two"],
      ["a", "one"],
    ]),
  },
  Empty: [],
  Nothing: null,
});

const show = (source: string, value: Value = box): string => evaluate(source, parseTemplate(source), value);

describe("values", () => {
  test.each([
    ["plain", "plain"],
    ["{{.Id}}", "abc"],
    ["{{ .State.Running }}-{{.State.ExitCode}}", "true-0"],
    ["{{json .State}}", '{"Running":true,"ExitCode":0,"Error":""}'],
    ["{{json .Config.Labels}}", '{"a":"one","b.c":"two"}'],
    ["{{.Config.Cmd}}", "[sh -c x]"],
    ["{{.Config.Labels}}", "map[a:one b.c:two]"],
    ["{{.State}}", "{true 0 }"],
    ["{{.Nothing}}", "<no value>"],
    ["{{.Config.Labels.missing}}", "<no value>"],
    ['{{index .Config.Labels "b.c"}}', "two"],
    ['[{{index .Config.Labels "none"}}]', "[]"],
    ["{{index .Config.Cmd 1}}", "-c"],
    ["{{(index .Mounts 1).Destination}}", "/b"],
    ["{{len .Mounts}} {{len .Config.Labels}} {{len .Id}}", "2 2 3"],
    ['{{"a\\tb"}}{{`\\t`}}', "a\tb\\t"],
    ["{{/* nothing */}}x", "x"],
    ["a {{- 1 -}} b", "a1b"],
    ["{{$.Id}}", "abc"],
  ])("%s", (source, expected) => expect(show(source)).toBe(expected));
});

describe("functions and pipes", () => {
  test.each([
    ['{{join .Config.Cmd " "}}', "sh -c x"],
    ['{{.Id | upper | printf "%5s|%-5s|" "x"}}', "    x|ABC  |"],
    ['{{lower "ÄB"}} {{title "a big word"}}', "äb A Big Word"],
    ['{{range split "a,b" ","}}<{{.}}>{{end}}', "<a><b>"],
    ["{{println .Id 1}}", "abc 1\n"],
    ['{{truncate .Id 2}}{{pad "x" 1 2}}|', "ab x  |"],
    ["{{slice .Id 1 2}}", "b"],
    ['{{eq .Id "x" "abc"}} {{ne .Id "x"}} {{not .State.Running}}', "true true false"],
    ['{{and .State.Running .Id}} {{or .State.Error "none"}}', "abc none"],
    ['{{lt 1 2}}{{ge "b" "a"}}', "truetrue"],
    ["{{(len .Mounts) | eq 2}}", "true"],
  ])("%s", (source, expected) => expect(show(source)).toBe(expected));
});

describe("blocks", () => {
  test.each([
    ["{{range .Mounts}}{{.Destination}} {{end}}", "/a /b "],
    ["{{range $i, $m := .Mounts}}{{$i}}={{$m.Destination}};{{end}}", "0=/a;1=/b;"],
    ["{{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}", "a=one b.c=two "],
    ["{{range .Empty}}x{{else}}none{{end}}", "none"],
    ['{{range .Mounts}}{{if eq .Destination "/a"}}{{continue}}{{end}}{{.Destination}}{{end}}', "/b"],
    ["{{range .Mounts}}{{.Destination}}{{break}}{{end}}", "/a"],
    ["{{if .State.Error}}bad{{else if .State.Running}}up{{else}}down{{end}}", "up"],
    ["{{with .State}}{{.ExitCode}}{{$.Id}}{{end}}{{with .Empty}}x{{else}}-{{end}}", "0abc-"],
    ['{{$x := .Id}}{{if true}}{{$x = "y"}}{{end}}{{$x}}', "y"],
    ["{{with $s := .State}}{{$s.ExitCode}}{{end}}", "0"],
  ])("%s", (source, expected) => expect(show(source)).toBe(expected));
});

test("a method takes its argument, and a chain goes on from it", () => {
  const row = { Label: (key: Value) => `<${key}>` };
  expect(show('{{.Label "a"}}{{.Label "b" | len}}', row)).toBe("<a>3");
});

describe("slips name the column", () => {
  test.each([
    ["{{.Id", "column 1: the action is not closed"],
    ["ab {{.Nmae}}", "column 6: there is no field .Nmae; there are .Id, .Name"],
    ["{{.Id.Foo}}", "column 3: a string has no field .Foo"],
    ["{{nope .Id}}", 'column 3: there is no function "nope"'],
    ["{{range .Mounts}}x", "column 1: {{range}} has no {{end}}"],
    ["{{end}}", "column 1: {{end}} has nothing to belong to"],
    ["{{if}}x{{end}}", "column 1: a value is missing"],
    ["{{}}", "column 1: the action is empty"],
    ["{{.Id | }}", "column 7: a value is missing"],
    ["{{(len .Id}}", "column 3: the parenthesis is not closed"],
    ['{{"abc}}', "column 3: the quoted text has no end"],
    ["{{.Id & 1}}", 'column 7: "&" is not expected here'],
    ["{{index .Mounts 7}}", "column 3: index 7 is beyond the end: there are 2"],
    ["{{range .Id}}{{end}}", "column 1: range wants a list or a map, not a string"],
    ["{{.Nothing.X}}", "column 3: there is no value to take .X from"],
    ["{{$x}}", "column 3: there is no variable $x"],
    ["{{break}}", "column 1: {{break}} stands outside of a range"],
    ['{{template "x"}}', "column 1: {{template}} is not supported"],
    ["{{join .Id}}", "column 3: join wants a list, not a string"],
    ["{{.Id 1}}", "column 3: a string takes no arguments"],
  ])("%s", (source, because) => {
    const error = failureOf(() => show(source));
    expect(error.code).toBe("USAGE");
    expect(error.because).toStartWith(because);
  });
});
