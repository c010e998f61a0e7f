/**
 * Descriptors that a plan knows by number: those that outlive a plan (slots do not), or are named in options. All lie above
 * what a launcher is handed, are closed when a program is executed, and by the plan itself as soon as they have served
 * (CVE-2024-21626: a working directory of /proc/self/fd/N must find nothing).
 */

/** The mount namespace that the init process returns to when it has built its root. */
export const mountNamespaceFd = 199;

/** Mounts that the launcher, or the first steps in the box, have opened for later. */
export const firstSourceFd = 200;
export const maxSources = 60;

/** Mounts that are made read-only when all is built. */
export const firstLateFd = 260;
export const maxLate = 40;

/** Directories that overlayfs is given by number: layers of the root, those of `tmpcopyup`. */
export const firstLayerFd = 300;
