/** What the parts of the faulty registry share: what was asked, and what is answered. */

export interface RecordedRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** "" for content of uploads. */
  readonly body: string;
  /** Bytes that came of the body. */
  readonly bodyBytes: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

export function errorAnswer(status: number, code: string, message: string, headers: Answer["headers"] = {}): Answer {
  const body = Buffer.from(JSON.stringify({ errors: [{ code, message, detail: null }] }));
  return { status, headers: { "content-type": "application/json", ...headers }, body };
}
