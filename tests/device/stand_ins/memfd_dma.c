/* LD_PRELOAD: the devices udmabuf and dma_heap, where the machine has neither.
 *
 * libcamera asks them for buffers that a camera and a processor share. Its virtual camera is a processor, so
 * ordinary shared memory (memfd) does. Descriptors of the two devices are remembered; their ioctls and the
 * dma-buf sync ioctl are answered here, all else goes to the C library.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NONE, UDMABUF, HEAP, MOST_FDS = 4096 };

static char kind_of[MOST_FDS];

struct udmabuf_create { uint32_t memfd, flags; uint64_t offset, size; };
struct dma_heap_allocation { uint64_t len; uint32_t fd, fd_flags; uint64_t heap_flags; };

/* The type and number bytes of an ioctl request. */
#define ASKS(request, type, number) (((request) & 0xffff) == (((type) << 8) | (number)))

static int kind(const char *path)
{
    if (!path)
        return NONE;
    if (!strcmp(path, "/dev/udmabuf"))
        return UDMABUF;
    return strncmp(path, "/dev/dma_heap/", 14) ? NONE : HEAP;
}

static int stand_in(int device)
{
    static int (*real_open)(const char *, int, ...);
    if (!real_open)
        real_open = dlsym(RTLD_NEXT, "open");
    int fd = real_open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd >= 0 && fd < MOST_FDS)
        kind_of[fd] = device;
    return fd;
}

#define OPEN(name)                                                     \
    int name(const char *path, int flags, ...)                        \
    {                                                                  \
        static int (*real)(const char *, int, ...);                    \
        mode_t mode = 0;                                               \
        if (flags & (O_CREAT | O_TMPFILE)) {                           \
            va_list rest;                                              \
            va_start(rest, flags);                                     \
            mode = va_arg(rest, int);                                  \
            va_end(rest);                                              \
        }                                                              \
        if (!real)                                                     \
            real = dlsym(RTLD_NEXT, #name);                            \
        return kind(path) ? stand_in(kind(path)) : real(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

int close(int fd)
{
    static int (*real)(int);
    if (!real)
        real = dlsym(RTLD_NEXT, "close");
    if (fd >= 0 && fd < MOST_FDS)
        kind_of[fd] = NONE;
    return real(fd);
}

static int allocate(struct dma_heap_allocation *wanted)
{
    int fd = memfd_create("heap", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, wanted->len)) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    wanted->fd = fd;
    return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
    static int (*real)(int, unsigned long, ...);
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (!real)
        real = dlsym(RTLD_NEXT, "ioctl");
    int device = fd >= 0 && fd < MOST_FDS ? kind_of[fd] : NONE;
    if (device == UDMABUF && ASKS(request, 'u', 0x42))
        return fcntl(((struct udmabuf_create *)argument)->memfd, F_DUPFD_CLOEXEC, 3);
    if (device == HEAP && ASKS(request, 'H', 0))
        return allocate(argument);
    int answer = real(fd, request, argument);
    if (answer < 0 && errno == ENOTTY && (ASKS(request, 'b', 0) || ASKS(request, 'b', 1)))
        return 0; /* DMA_BUF_IOCTL_SYNC and SET_NAME on a memfd: nothing to do */
    return answer;
}
