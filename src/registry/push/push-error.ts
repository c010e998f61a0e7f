/** An answer that refuses what is pushed, with what to do about it. */
import { DevboxError } from "../../core/errors.ts";
import type { HttpResponse } from "../http/http-client.ts";
import { responseError } from "../response-error.ts";
import type { Session } from "../session.ts";

export async function pushError(session: Session, response: HttpResponse, step: string): Promise<DevboxError> {
  const error = await responseError(response, step);
  const hint = hintFor(session, response.status) ?? error.hint;
  return new DevboxError(error.code, {
    step,
    hint,
    ...(error.because === undefined ? {} : { because: error.because }),
  });
}

function hintFor({ options }: Session, status: number): string | undefined {
  const { registry, repository } = options;
  if (status === 401 || status === 403) {
    return `log in as somebody who may push to ${repository}: devbox login ${registry}`;
  }
  if (status === 404)
    return `check the spelling of ${registry}/${repository}; some registries want it to be made first`;
  if (status === 405) return "the registry is read-only, or no registry that can be pushed to";
  if (status === 413) return "the registry, or a proxy before it, takes nothing of this size; ask who runs it";
  return undefined;
}
