/** The runtime-spec that is followed. */
export const specVersion = "1.2.1";
