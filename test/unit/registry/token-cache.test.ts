import { expect, test } from "bun:test";
import type { Token } from "../../../src/registry/authentication/token.ts";
import { createTokenCache } from "../../../src/registry/authentication/token-cache.ts";

const wanted = { realm: new URL("https://auth.example/token"), service: "s", scope: "repository:a:pull" };

/** A cache whose tokens are numbered and live for 100 seconds of a clock that stands still. */
function numbered() {
  const fetched: string[] = [];
  const cache = createTokenCache(
    () => new Date(0),
    async ({ scope }): Promise<Token> => ({ value: `${fetched.push(scope)}`, expiresAtMs: 100_000 }),
  );
  return { cache, fetched };
}

test("one token for each scope", async () => {
  const { cache, fetched } = numbered();
  expect(await cache(wanted, undefined)).toEqual({ authorization: "Bearer 1", isFresh: true });
  expect(await cache(wanted, undefined)).toEqual({ authorization: "Bearer 1", isFresh: false });
  expect(await cache({ ...wanted, scope: "other" }, undefined)).toEqual({ authorization: "Bearer 2", isFresh: true });
  expect(await cache({ ...wanted, service: undefined }, undefined)).toMatchObject({ isFresh: true });
  expect(fetched.length).toBe(3);
});

test("requests whose token is refused in the same moment share the new one", async () => {
  const { cache, fetched } = numbered();
  const { authorization } = await cache(wanted, undefined);
  const answers = await Promise.all([cache(wanted, authorization), cache(wanted, authorization)]);
  expect(answers.map((answer) => answer.authorization)).toEqual(["Bearer 2", "Bearer 2"]);
  expect(fetched.length).toBe(2);
});

test("a failure is told to those who wait, and not kept", async () => {
  let calls = 0;
  const cache = createTokenCache(
    () => new Date(0),
    async () => {
      if (++calls === 1) throw new Error("token server is down");
      return { value: "x", expiresAtMs: 100_000 };
    },
  );
  await expect(cache(wanted, undefined)).rejects.toThrow("down");
  expect(await cache(wanted, undefined)).toEqual({ authorization: "Bearer x", isFresh: true });
});
