/** A small language for what a JSON document must be; a rule tells what is wrong with a value, and where. */

/** Complaints, each with its place; none: the value is right. */
export type Rule = (value: unknown, at: string) => readonly string[];

export const text: Rule = matching(/^/, "a string");
export const boolean: Rule = (value, at) => (typeof value === "boolean" ? [] : [`${at}: no boolean`]);
export const int64: Rule = (value, at) =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? [] : [`${at}: no integer from 0 on`];

export function matching(pattern: RegExp, what: string): Rule {
  return (value, at) =>
    typeof value === "string" && pattern.test(value) ? [] : [`${at}: ${JSON.stringify(value)} is not ${what}`];
}

export function exactly(wanted: string | number): Rule {
  return (value, at) => (value === wanted ? [] : [`${at}: ${JSON.stringify(value)} instead of ${wanted}`]);
}

export function listOf(rule: Rule, atLeast = 0): Rule {
  return (value, at) => {
    if (!Array.isArray(value)) return [`${at}: no array`];
    const few = value.length < atLeast ? [`${at}: fewer than ${atLeast}`] : [];
    return [...few, ...value.flatMap((each, index) => rule(each, `${at}[${index}]`))];
  };
}

/** Any keys but the empty one. */
export function mapOf(rule: Rule, key: Rule = matching(/./s, "a key")): Rule {
  return (value, at) =>
    isObject(value)
      ? Object.entries(value).flatMap(([name, each]) => [
          ...key(name, `${at}: key`),
          ...rule(each, `${at}[${JSON.stringify(name)}]`),
        ])
      : [`${at}: no object`];
}

/** These members and no others. */
export function object(required: Readonly<Record<string, Rule>>, optional: Readonly<Record<string, Rule>> = {}): Rule {
  return (value, at) => {
    if (!isObject(value)) return [`${at}: no object`];
    const missing = Object.keys(required).filter((name) => !Object.hasOwn(value, name));
    const known = new Map(Object.entries({ ...required, ...optional }));
    return [
      ...missing.map((name) => `${at}: no ${name}`),
      ...Object.entries(value).flatMap(
        ([name, each]) => known.get(name)?.(each, `${at}.${name}`) ?? [`${at}: unknown member ${name}`],
      ),
    ];
  };
}

export function both(...rules: readonly Rule[]): Rule {
  return (value, at) => rules.flatMap((rule) => rule(value, at));
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
