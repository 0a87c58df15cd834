/*
 * Preloaded into a process, it lets libuv's pool of threads fail as it does in the field:
 * - between the two names that `access` is asked for, signals of condition variables are lost;
 * - while the file STALLING_DISK_HOLDS is there, fsync does not return in threads other than the first.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int losing;

int access(const char *path, int mode) {
  static int (*real)(const char *, int);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "access");
  if (strcmp(path, "/stalling-disk/lose-wake-ups") == 0) losing = 1;
  if (strcmp(path, "/stalling-disk/keep-wake-ups") == 0) losing = 0;
  return real(path, mode);
}

int pthread_cond_signal(pthread_cond_t *condition) {
  static int (*real)(pthread_cond_t *);
  if (losing) return 0;
  /* The default version: the older one has another layout of the variable. */
  if (real == NULL) *(void **)&real = dlvsym(RTLD_NEXT, "pthread_cond_signal", "GLIBC_2.3.2");
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "pthread_cond_signal");
  return real(condition);
}

int fsync(int file) {
  static int (*real)(int);
  const char *holds = getenv("STALLING_DISK_HOLDS");
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "fsync");
  if (holds != NULL && syscall(SYS_gettid) != getpid()) {
    while (access(holds, F_OK) == 0) usleep(50000);
  }
  return real(file);
}
