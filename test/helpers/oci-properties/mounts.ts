/** Rows of "mounts", with every option that is known. */
import type { Config } from "../oci-runtime.ts";
import { type Row, type Seen, withoutNamespace } from "./row.ts";

/** What is mounted on /m: the options of the mount, its propagation, and the options of its file system. */
const line = (at: string): string =>
  `while read -r id up device root at rest; do [ $at != ${at} ] || echo $rest; done < /proc/self/mountinfo | tail -n 1`;

const options = ["mounts", "mounts[].options", "mounts[].options[]"];
const add = (mount: Config) => (config: Config) => config.mounts.push({ destination: "/m", ...mount });

/** A tmpfs with the option behind `after`: a pattern that its line fits. */
function onTmpfs(word: string, after: string, sees: Seen): Row {
  const list = [...after.split(" ").filter(Boolean), word];
  return { of: options, word, change: add({ type: "tmpfs", source: "t", options: list }), script: line("/m"), sees };
}

const has = (...words: readonly string[]): RegExp =>
  new RegExp(
    words.map((word) => (word.startsWith("-") ? `(?!.*\\b${word.slice(1)}\\b)` : `(?=.*\\b${word}\\b)`)).join(""),
  );

/** option → what undoes it, or what it undoes; and what is seen. */
const plain: Readonly<Record<string, readonly [after: string, sees: RegExp]>> = {
  defaults: ["", /^rw,relatime - tmpfs t rw\b/],
  silent: ["", /^rw,relatime - tmpfs t rw\b/],
  loud: ["", /^rw,relatime - tmpfs t rw\b/],
  iversion: ["", /^rw,relatime - tmpfs t rw\b/],
  noiversion: ["", /^rw,relatime - tmpfs t rw\b/],
  sync: ["", / rw,sync/],
  async: ["sync", has("-sync")],
  dirsync: ["", / rw,dirsync/],
  lazytime: ["", / rw.*,lazytime/],
  nolazytime: ["lazytime", has("-lazytime")],
  // Since 5.15 the kernel takes no notice of it (mount(2), MS_MANDLOCK).
  mand: ["", /^rw,relatime - tmpfs t rw\b/],
  nomand: ["mand", /^rw,relatime - tmpfs t rw\b/],
  ro: ["rw", /^ro,relatime /],
  rw: ["ro", /^rw,relatime /],
  nosuid: ["", has("nosuid")],
  suid: ["nosuid", has("-nosuid")],
  nodev: ["", has("nodev")],
  dev: ["nodev", has("-nodev")],
  noexec: ["", has("noexec")],
  exec: ["noexec", has("-noexec")],
  noatime: ["", has("noatime")],
  atime: ["noatime", has("-noatime", "relatime")],
  relatime: ["noatime", has("-noatime", "relatime")],
  norelatime: ["", has("relatime")],
  strictatime: ["", has("-relatime", "-noatime")],
  nostrictatime: ["strictatime", has("relatime")],
  nodiratime: ["", has("nodiratime")],
  diratime: ["nodiratime", has("-nodiratime")],
  nosymfollow: ["", has("nosymfollow")],
  symfollow: ["nosymfollow", has("-nosymfollow")],
  shared: ["", /shared:\d+ - /],
  // A new mount has no peers that it could be a slave of.
  slave: ["shared", /^rw,relatime - /],
  private: ["shared", /^rw,relatime - /],
  unbindable: ["", /^rw,relatime unbindable - /],
};

/** Those of the recursive ones, on /dev/shm below a bind of the box's own /dev: what the option leaves of the two mounts. */
const recursive: readonly Row[] = Object.keys(plain)
  .filter((word) => plain[word] !== undefined && isRecursive(word))
  .map((word) => {
    const [after = "", sees = /./] = plain[word] ?? [];
    return onTmpfs(`r${word}`, after === "" ? "" : `r${after}`, sees);
  });

function isRecursive(word: string): boolean {
  return !/^(?:defaults|silent|loud|no?iversion|iversion|a?sync|dirsync|(?:no)?lazytime|(?:no)?mand)$/.test(word);
}

/** A bind of the host's /dev, where something is mounted on `shm` everywhere: what is seen of that, or of the top. */
function onBind(words: string, at: "/m" | "/m/shm", sees: Row["sees"]): Row {
  return {
    of: options,
    word: words,
    change: add({ source: "/dev", options: words.split(" ") }),
    script: line(at),
    sees,
  };
}

const mapping = [{ containerID: 0, hostID: 5, size: 1000 }];

export const mountRows: readonly Row[] = [
  {
    of: ["mounts[].destination", "mounts[].type", "mounts[].source"],
    change: add({ type: "tmpfs", source: "by-name", options: ["size=64k", "mode=1751"] }),
    script: `${line("/m")}; stat -c %a /m`,
    sees: /^rw,relatime - tmpfs by-name rw,size=64k,mode=1751.*\n1751$/,
  },
  {
    of: "mounts[].destination",
    word: "relative",
    change: (config) => config.mounts.push({ destination: "m", type: "tmpfs", source: "relative" }),
    script: line("/m"),
    sees: /tmpfs relative rw/,
    warns: /mounts\[\d+\]\.destination: m is relative/,
  },
  ...Object.entries(plain).map(([word, [after, sees]]) => onTmpfs(word, after, sees)),
  ...recursive,
  {
    of: options,
    word: "tmpcopyup",
    change: (config) =>
      config.mounts.push({ destination: "/filled", type: "tmpfs", source: "t", options: ["tmpcopyup"] }),
    script: `${line("/filled")}; cat /filled/file`,
    sees: /^rw,relatime - (?:overlay|tmpfs) t.*\nwhat was there$/,
  },
  {
    of: options,
    word: "remount",
    change: (config) =>
      config.mounts.push(
        { destination: "/m", type: "tmpfs", source: "t", options: ["size=64k"] },
        { destination: "/m", type: "tmpfs", source: "t", options: ["remount", "ro", "size=128k"] },
      ),
    script: line("/m"),
    sees: /^ro,relatime - tmpfs t r[ow],size=128k/,
  },
  {
    of: options,
    word: "bind",
    change: (config, { source }) => config.mounts.push({ destination: "/m", source, options: ["bind", "ro"] }),
    script: "cat /m/file; touch /m/new 2>&1",
    sees: "of the host\ntouch: /m/new: Read-only file system",
  },
  onBind("rbind", "/m/shm", /^rw.* - tmpfs /),
  onBind("rbind ro", "/m/shm", /^rw.* - tmpfs /),
  onBind("rbind rro", "/m/shm", /^ro.* - tmpfs /),
  onBind("rbind rnosuid", "/m/shm", has("nosuid")),
  onBind("rbind rnoexec", "/m/shm", has("noexec")),
  onBind("rbind rnodev", "/m/shm", has("nodev")),
  onBind("rbind rnosymfollow", "/m/shm", has("nosymfollow")),
  onBind("rbind rshared", "/m/shm", /shared:/),
  onBind("rbind rslave", "/m/shm", /^(?!.*shared:).* - tmpfs /),
  onBind("rbind rprivate", "/m/shm", /^(?!.*(?:shared|master):).* - tmpfs /),
  onBind("rbind runbindable", "/m/shm", / unbindable - /),
  ...(["idmap", "ridmap"] as const).map(
    (word): Row => ({
      of: [...options, ...["mounts[].uidMappings", "mounts[].gidMappings"].flatMap((key) => [key, ...ofMappings(key)])],
      word,
      change: (config, { source }) =>
        config.mounts.push({
          destination: "/m",
          source,
          options: [word === "idmap" ? "bind" : "rbind", word],
          uidMappings: mapping,
          gidMappings: mapping,
        }),
      script: "stat -c %u:%g /m/file /m/sub",
      sees: { root: "5:5\n5:5", user: { refused: /\/m\b.*(?:EPERM|id)/ } },
    }),
  ),
  // The kinds of file systems that every box has.
  ...["proc", "devpts", "mqueue", "tmpfs"].map(
    (type): Row => ({
      of: "mounts[].type",
      word: type,
      change: add({ type, source: type }),
      script: line("/m"),
      sees: new RegExp(`^rw,relatime - ${type} ${type} rw`),
    }),
  ),
  {
    of: "mounts[].type",
    word: "sysfs",
    change: add({ type: "sysfs", source: "sysfs" }),
    script: line("/m"),
    // Without a network namespace of its own, its user namespace has no right to a new one: it sees the host's, read-only.
    sees: { root: /^rw,relatime - sysfs sysfs rw/, user: /^ro,.* - sysfs sysfs rw/ },
  },
  {
    of: "mounts[].type",
    word: "cgroup without a cgroup namespace",
    change(config) {
      withoutNamespace(config, "cgroup");
      config.mounts.push({ destination: "/m", type: "cgroup", source: "cgroup", options: ["ro"] });
    },
    // Its own group, in which it is alone, and not the host's, where everybody is.
    script: "[ -d /m/pids ] && cat /m/pids/cgroup.procs | wc -l || echo version 2",
    sees: { root: /^(?:[1-4]|version 2)$/, user: /^(?:\d+|version 2)$/ },
  },
  {
    of: "mounts[].type",
    word: "cgroup",
    change: add({ type: "cgroup", source: "cgroup", options: ["ro", "nosuid"] }),
    script: "ls /m | grep -c '^memory$\\|^cgroup.controllers$'; touch /m/x 2>&1",
    sees: "1\ntouch: /m/x: Read-only file system",
  },
];

export function ofMappings(place: string): readonly string[] {
  return ["containerID", "hostID", "size"].map((key) => `${place}[].${key}`);
}
