/** The scripts, run by the shells that they are for. */
import { expect, test } from "bun:test";
import { catalogue, loadAllCommands } from "../../../src/cli/catalogue.ts";
import { completionScript } from "../../../src/cli/completion.ts";

const commands = await loadAllCommands();
const bash = await completionScript("bash", commands);

/** What bash offers at the end of a line, split as bash splits it; `images`: what is in the store. */
function offered(line: string, images = "", words = line.split(/ |(?<=[=:])|(?=[=:])/)): readonly string[] {
  const table = `echo REPOSITORY TAG; printf '%s\\n' ${images}`;
  const script = `devbox() { ${table}; }
compopt() { :; }
${bash}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE='${line}'; COMP_POINT=\${#COMP_LINE}
_devbox; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = Bun.spawnSync(["bash", "-c", script, "bash", ...words]);
  expect(stderr.toString()).toBe("");
  return stdout.toString().split("\n").filter(Boolean);
}

test("commands", () => {
  expect(offered("devbox imag")).toEqual(["image", "images"]);
  expect(offered("devbox ")).toEqual([...Object.keys(catalogue), "help"]);
  expect(offered("devbox help pul")).toEqual(["pull"]);
});

test("options of the command, not of others", () => {
  expect(offered("devbox run --cap")).toEqual(["--cap-add", "--cap-drop"]);
  expect(offered("devbox images --cap")).toEqual([]);
  expect(offered("devbox run --net")).toEqual(["--network"]);
});

test("values of options, in both spellings", () => {
  expect(offered("devbox run --pull ne")).toEqual(["never", "newer"]);
  expect(offered("devbox run --pull=ne")).toEqual(["never", "newer"]);
  expect(offered("devbox run --network ")).toEqual(["slirp4netns", "none", "host"]);
  expect(offered("devbox run --network=")).toEqual(["slirp4netns", "none", "host"]);
  expect(offered("devbox run --name ")).toEqual([]);
  expect(offered("devbox run --env-file /etc/passw")).toContain("/etc/passwd");
  expect(offered("devbox completion z")).toEqual(["zsh"]);
});

test("images; what stands before a colon is there already", () => {
  const images = "'debian 12' '127.0.0.1:5000/web v1' 'oci:/x <none>'";
  expect(offered("devbox run ", images)).toEqual(["debian:12", "127.0.0.1:5000/web:v1"]);
  expect(offered("devbox rmi deb", images)).toEqual(["debian:12"]);
  expect(offered("devbox rmi debian:", images)).toEqual(["12"]);
  expect(offered("devbox run 127.0.0.1:5000/w", images)).toEqual(["5000/web:v1"]);
});

test("boxes", () => {
  for (const words of ["stop", "export", "container diff", "commit", "exec -it"]) {
    expect(offered(`devbox ${words} we`, "'web'")).toEqual(["web"]);
  }
  expect(offered("devbox exec web we", "'web'")).toEqual([]);
});

test("behind the image the words are the box's", () => {
  expect(offered("devbox run alpine --")).toEqual([]);
  expect(offered("devbox run -it -e A=1 -p 80:80 --network=none alpine --")).toEqual([]);
  expect(offered("devbox run -it -e A=1 -p 80:80 --network=none --nam")).toEqual(["--name"]);
});

test("commands of a group: their words, their options, the images", () => {
  expect(offered("devbox image l")).toEqual(["ls", "load"]);
  expect(offered("devbox image ls --no-t")).toEqual(["--no-trunc"]);
  expect(offered("devbox image verify --rep")).toEqual(["--repair"]);
  expect(offered("devbox image rm deb", "'debian 12'")).toEqual(["debian:12"]);
  expect(offered("devbox image rm --")).toContain("--force");
  expect(offered("devbox container run --network=")).toEqual(["slirp4netns", "none", "host"]);
  expect(offered("devbox container run alpine --")).toEqual([]);
  expect(offered("devbox system pru")).toEqual(["prune"]);
  expect(offered("devbox artifact push --artifact-t")).toEqual(["--artifact-type"]);
});

test("fish: a line for each command and option, quotes kept", async () => {
  const script = await completionScript("fish", commands);
  expect(script).toContain("complete -c devbox -n '__devbox_at rmi; or __devbox_at image rm' -l force -s f -d ");
  expect(script).toContain("complete -c devbox -n '__devbox_at image; and __devbox_words 2' -f -a verify -d ");
  expect(script).toContain("complete -c devbox -n __fish_use_subcommand -f -a pull -d ");
  expect(script).toContain("-l pull -x -a 'missing always never newer' -d 'When to ask the registry'");
  const unquoted = script.split("\n").filter((line) => (line.replaceAll("\\'", "").match(/'/g) ?? []).length % 2 !== 0);
  expect(unquoted).toEqual([]);
});
