/** Events as docker describes them (docker API, SystemEvents). */
import type { StoreEvent } from "../../../store/events.ts";
import type { Fields } from "../value.ts";

/** docker's words: a box is a container there, and what is removed is destroyed. */
export function eventType({ type }: StoreEvent): string {
  return type === "box" ? "container" : type;
}

export function eventAction({ action, attributes }: StoreEvent): string {
  if (action === "remove") return "destroy";
  return action === "health_status" ? `health_status: ${attributes["status"] ?? ""}` : action;
}

export function eventFields(event: StoreEvent): Fields {
  const attributes = new Map(Object.entries(event.attributes));
  const [status, from, scope] = [eventAction(event), event.attributes["image"] ?? "", "local"];
  const time = Math.floor(event.time / 1000);
  // 2^53 nanoseconds are a hundred days: the last digits are lost, as in any JSON number of this size.
  const timeNano = event.time * 1_000_000;
  return {
    status,
    id: event.id,
    from,
    Type: eventType(event),
    Action: eventAction(event),
    Actor: { ID: event.id, Attributes: attributes },
    scope,
    time,
    timeNano,
    // By these names templates know them (docker API, events.Message); methods do not show in JSON.
    Status: () => status,
    ID: () => event.id,
    From: () => from,
    Scope: () => scope,
    Time: () => time,
    TimeNano: () => timeNano,
  };
}

/** `2024-05-01T12:00:00.000000000+02:00 container start ID (image=…, name=…)`. */
export function eventLine(event: StoreEvent): string {
  const attributes = Object.entries(event.attributes)
    .map(([name, value]) => `${name}=${value}`)
    .sort();
  return `${localTime(event.time)} ${eventType(event)} ${eventAction(event)} ${event.id} (${attributes.join(", ")})\n`;
}

function localTime(milliseconds: number): string {
  const offset = -new Date(milliseconds).getTimezoneOffset();
  const shifted = new Date(milliseconds + offset * 60_000).toISOString().slice(0, -1);
  const pad = (value: number): string => String(Math.floor(Math.abs(value))).padStart(2, "0");
  const zone = offset === 0 ? "Z" : `${offset < 0 ? "-" : "+"}${pad(Math.abs(offset) / 60)}:${pad(offset % 60)}`;
  return `${shifted}000000${zone}`;
}
