import { expect, test } from "bun:test";
import { mergeScopes } from "../../../src/registry/authentication/scope.ts";

test.each([
  [["repository:a/b:pull"], "repository:a/b:pull"],
  [["repository:a/b:pull", "repository:a/b:pull,push"], "repository:a/b:pull,push"],
  [
    ["repository:a/b:pull,push repository:c:pull", "repository:c:push"],
    "repository:a/b:pull,push repository:c:pull,push",
  ],
  [["repository:host:5000/a:pull", "repository:host:5000/a:push"], "repository:host:5000/a:pull,push"],
  [["", "repository:a:pull"], "repository:a:pull"],
  [["whatever", "repository:a:*", "whatever"], "whatever repository:a:*"],
  [[""], ""],
])("%j", (scopes, merged) => {
  expect(mergeScopes(scopes)).toBe(merged);
});
