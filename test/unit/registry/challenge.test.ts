import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseChallenges } from "../../../src/registry/authentication/challenge.ts";

function read(...headers: string[]): [string, Record<string, string>][] {
  return parseChallenges(headers).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
}

describe("parseChallenges", () => {
  test("reads docker.io's", () => {
    const header =
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull"';
    const parameters = {
      realm: "https://auth.docker.io/token",
      service: "registry.docker.io",
      scope: "repository:library/alpine:pull",
    };
    expect(read(header)).toEqual([["bearer", parameters]]);
  });

  test("takes parameters in any order, case and spacing", () => {
    expect(read('BEARER  Scope = "a b" ,service=x , REALM="r"')).toEqual([
      ["bearer", { scope: "a b", service: "x", realm: "r" }],
    ]);
  });

  test("tells challenges in one header apart by what follows a word", () => {
    expect(read('Basic realm="one, two", Bearer realm="r",scope="s", Digest realm=d')).toEqual([
      ["basic", { realm: "one, two" }],
      ["bearer", { realm: "r", scope: "s" }],
      ["digest", { realm: "d" }],
    ]);
  });

  test("reads challenges from several headers", () => {
    expect(read("Negotiate", 'Bearer realm="r"')).toEqual([
      ["negotiate", {}],
      ["bearer", { realm: "r" }],
    ]);
  });

  test("passes over a token68", () => {
    expect(read('Negotiate YII/a+b==, Bearer realm="r"')).toEqual([
      ["negotiate", {}],
      ["bearer", { realm: "r" }],
    ]);
  });

  test("unescapes quoted strings, keeps commas and equal signs in them", () => {
    expect(read('Bearer realm="https://a/?x=1,2&y=\\"q\\\\\\""')).toEqual([
      ["bearer", { realm: 'https://a/?x=1,2&y="q\\"' }],
    ]);
  });

  test("reads an unquoted URL", () => {
    expect(read("Bearer realm=https://a.b:5000/token?x=y,service=s")).toEqual([
      ["bearer", { realm: "https://a.b:5000/token?x=y", service: "s" }],
    ]);
  });

  test("the first of a repeated parameter stands", () => {
    expect(read('Bearer realm="good",realm="evil"')).toEqual([["bearer", { realm: "good" }]]);
  });

  test.each(["", ",", "=", '"', 'Bearer realm="', 'Bearer realm="\\', "Bearer ,,, =", "\u0000"])(
    "survives %j",
    (header) => {
      expect(read(header).length).toBeLessThanOrEqual(1);
    },
  );

  test("never throws and always ends", () => {
    const part = fc.constantFrom("Bearer", " ", ",", "=", '"', "\\", "realm", "é", "\t", "a==");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
        for (const { scheme } of parseChallenges([parts.join("")])) expect(scheme).not.toBe("");
      }),
    );
  });

  test("reads back what is written by the grammar", () => {
    const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
    const challenge = fc.tuple(token, fc.dictionary(token, fc.string(), { minKeys: 1, maxKeys: 4 }));
    const quote = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;
    fc.assert(
      fc.property(fc.array(challenge, { minLength: 1, maxLength: 4 }), (challenges) => {
        const header = challenges
          .map(([scheme, parameters]) => {
            const pairs = Object.entries(parameters).map(([name, value]) => `${name}=${quote(value)}`);
            return `${scheme} ${pairs.join(", ")}`;
          })
          .join(", ");
        expect(read(header)).toEqual(challenges.map(([scheme, parameters]) => [scheme, { ...parameters }]));
      }),
    );
  });
});
