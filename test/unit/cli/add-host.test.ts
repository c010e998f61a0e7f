import { expect, test } from "bun:test";
import { parseAddHosts } from "../../../src/cli/add-host.ts";

const laptop = () => "192.0.2.2";
const add = (text: string) => parseAddHosts([text], "slirp4netns", laptop).addHosts;

test("a name and an address, in all spellings", () => {
  expect(add("db:192.0.2.7")).toEqual(["db:192.0.2.7"]);
  expect(add("db=192.0.2.7")).toEqual(["db:192.0.2.7"]);
  expect(add("db:[2001:db8::7]")).toEqual(["db:2001:db8::7"]);
  expect(add("db:2001:db8::7")).toEqual(["db:2001:db8::7"]);
});

test("what is neither is refused", () => {
  for (const text of ["db", "db:", ":1.2.3.4", "db:gateway", "d b:1.2.3.4"]) {
    expect(() => add(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
  }
});

test("host-gateway is this machine, as the network of the box reaches it", () => {
  expect(add("host.docker.internal:host-gateway")).toEqual(["host.docker.internal:192.0.2.2"]);
  expect(parseAddHosts(["h:host-gateway"], "host", laptop).addHosts).toEqual(["h:127.0.0.1"]);
});

test("where nothing can be reached, the name is left out and that is said", () => {
  const asked = ["h:host-gateway", "db:192.0.2.7"];
  expect(parseAddHosts(asked, "none", laptop)).toEqual({
    addHosts: ["db:192.0.2.7"],
    notices: ["--add-host h:host-gateway has no effect: the box has no network"],
  });
  expect(parseAddHosts(asked, "slirp4netns", () => undefined)).toEqual({
    addHosts: ["db:192.0.2.7"],
    notices: ["--add-host h:host-gateway has no effect: this machine has but loopback addresses, closed to boxes"],
  });
});
