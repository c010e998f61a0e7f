/** Are these credentials good? For `devbox login`, before they are stored. */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { openSession } from "../open-session.ts";
import { responseError } from "../response-error.ts";
import type { Credentials } from "./credentials.ts";

export interface LoginCheck {
  readonly registry: string;
  readonly credentials: Credentials;
  readonly tlsVerify: boolean;
}

/**
 * Ask the registry's `v2/`, and answer its challenge with these credentials; no repository is named. A registry that wants no
 * login takes any. @throws REGISTRY_AUTH where they are refused; REGISTRY_REFUSED where it is no registry; REGISTRY_UNREACHABLE, …
 */
export async function checkLogin(context: Context, check: LoginCheck): Promise<void> {
  const { registry } = check;
  const step = `log in at ${registry}`;
  const { session, close } = openSession(context, { ...check, repository: "" });
  try {
    const response = await session.send({ method: "GET", target: "v2/", headers: {}, step });
    if (response.status === 200) return await response.discard();
    const error = await responseError(response, step);
    if (error.code !== "REGISTRY_NOT_FOUND") throw error;
    const because = `${response.url.host} answered ${response.status} to /v2/: there is no registry`;
    throw new DevboxError("REGISTRY_REFUSED", { step, because, hint: "check the spelling of its name" });
  } catch (error) {
    throw error instanceof DevboxError && error.code === "REGISTRY_AUTH" ? inWordsOfLogin(error) : error;
  } finally {
    await close();
  }
}

/** The hints of other requests speak of images, and of logging in. */
function inWordsOfLogin({ because, cause, step }: DevboxError): DevboxError {
  const hint =
    "check the user name and the password; some registries want an access token in the place of the password";
  return new DevboxError("REGISTRY_AUTH", { step, hint, ...(because === undefined ? {} : { because }), cause });
}
