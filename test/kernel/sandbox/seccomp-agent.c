/* Answers one question of a seccomp filter (seccomp_unotify(2)) on descriptor 3: prints the number of the call, and lets it fail with EOPNOTSUPP. */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

int main(void) {
  struct seccomp_notif question;
  struct seccomp_notif_resp answer;
  memset(&question, 0, sizeof(question));
  memset(&answer, 0, sizeof(answer));
  if (ioctl(3, SECCOMP_IOCTL_NOTIF_RECV, &question) != 0) {
    perror("receive");
    return 1;
  }
  printf("%d\n", question.data.nr);
  answer.id = question.id;
  answer.error = -EOPNOTSUPP;
  if (ioctl(3, SECCOMP_IOCTL_NOTIF_SEND, &answer) != 0) {
    perror("send");
    return 1;
  }
  return 0;
}
