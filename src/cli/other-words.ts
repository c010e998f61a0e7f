/** What docker, podman, skopeo and oras have commands for, and devbox another way, or none. */

const ways: Readonly<Record<string, string>> = {
  build:
    "make an image from a box (devbox commit) or a tar (devbox import); what others build is brought by devbox load",
  buildx: "see: devbox commit --help, devbox import --help",
  delete: "images are deleted by the registry's own means; here by devbox rmi",
  discover: "see: devbox artifact ls --help",
  info: "see: devbox doctor",
  "list-tags": "see: devbox image tags --help",
  manifest: "devbox image inspect --raw docker://NAME prints one",
  mount: "devbox cp and devbox export read the files of a box",
  network: "there are no networks with names: devbox run --network none|host|slirp4netns",
  search: "registries have no search in common; devbox image tags NAME lists the tags of a name",
  scp: "devbox save IMAGE | ssh HOST devbox load",
  sync: "see: devbox copy --help",
};

/** What to do instead, for a word that is no command; undefined: nobody has it. */
export function otherWay(word: string): string | undefined {
  return Object.hasOwn(ways, word) ? ways[word] : undefined;
}
