import { expect, test } from "bun:test";
import { signalNumber } from "../../../src/runtime/signal-names.ts";
import { failureOf } from "../../helpers/failure.ts";

test.each([
  ["TERM", 15],
  ["SIGTERM", 15],
  ["sigkill", 9],
  ["Usr1", 10],
  ["15", 15],
  ["1", 1],
  ["64", 64],
  ["CHLD", 17],
  ["CLD", 17],
  ["POLL", 29],
  ["IO", 29],
  ["PWR", 30],
  ["STKFLT", 16],
  ["RTMIN", 34],
  ["SIGRTMIN+3", 37],
  ["RTMIN+30", 64],
  ["RTMAX", 64],
  ["RTMAX-2", 62],
])("%s is %d", (text, number) => expect(signalNumber(text)).toBe(number));

test.each([
  "",
  "0",
  "65",
  "1000",
  "-9",
  "SIG",
  "SIGSIGTERM",
  "RTMIN-1",
  "RTMAX+1",
  "RTMIN+31",
  "TERM ",
  "constructor",
  "9.0",
])("%j is none", (text) => expect(failureOf(() => signalNumber(text)).code).toBe("USAGE"));
