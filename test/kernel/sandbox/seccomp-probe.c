/* Loads a seccomp filter from stdin (struct sock_filter[]) with the flags of argv[1], then makes the system calls of
   argv[2...], each "NUMBER[,ARG...]" or "i386:NUMBER[,ARG...]", and prints the result of each: 0 or above, or -errno. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct sock_filter filter[4096];

static long call32(const long *a) {
#ifdef __x86_64__
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(a[0]), "b"(a[1]), "c"(a[2]), "d"(a[3]) : "memory", "r8", "r9", "r10", "r11");
  return result;
#else
  (void)a;
  return -ENOSYS;
#endif
}

int main(int argc, char **argv) {
  struct sock_fprog program = {0, filter};
  size_t size = fread(filter, 1, sizeof filter, stdin);
  program.len = size / sizeof *filter;
  if (argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 2;
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, strtoul(argv[1], NULL, 0), &program) != 0) {
    perror("seccomp");
    return 3;
  }
  for (int i = 2; i < argc; i++) {
    long a[7] = {0};
    int narrow = strncmp(argv[i], "i386:", 5) == 0;
    char *next = argv[i] + (narrow ? 5 : 0);
    for (int n = 0; n < 7 && *next != '\0'; n++) {
      a[n] = (long)strtoul(next, &next, 0);
      if (*next == ',') next++;
    }
    long result = narrow ? call32(a) : syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
    if (!narrow && result == -1) result = -errno;
    printf("%s%ld", i == 2 ? "" : " ", result < 0 ? result : 0);
    fflush(stdout);
  }
  return 0;
}
