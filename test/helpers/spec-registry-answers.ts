/** What the parts of the spec registry share: what it keeps, and the shape of its answers. */

export interface Repository {
  readonly name: string;
  readonly blobs: Map<string, Uint8Array>;
  /** By digest. */
  readonly manifests: Map<string, { readonly bytes: Uint8Array; readonly mediaType: string }>;
  /** Tag → digest. */
  readonly tags: Map<string, string>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** distribution-spec "Pulling manifests": the grammars of names and tags. */
export const repositoryPattern = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/;
export const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** distribution-spec "Error codes". */
export function errorAnswer(status: number, code: string, message: string): Answer {
  return jsonAnswer(status, { errors: [{ code, message, detail: null }] });
}

export function jsonAnswer(status: number, document: object, headers: Answer["headers"] = {}): Answer {
  return { status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(document) };
}
