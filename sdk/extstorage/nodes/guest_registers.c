/*
 * Loaded into linux.uml before 6.13, whose buffer for a process's registers has room for those up to
 * AVX-512. Where the processor has more (AMX), Linux returns what fits, but takes back nothing less
 * than all: without this the guest's first process dies. So the rest is given back as it is.
 */

#define PTRACE_GETREGSET 0x4204
#define PTRACE_SETREGSET 0x4205
#define NT_X86_XSTATE ((void *)0x202)
#define RTLD_NEXT ((void *)-1L)

struct area {
    unsigned char *bytes;
    unsigned long size;
};

typedef long call(long request, long process, void *address, void *data);

extern void *dlsym(void *handle, const char *name);

/* One thread of the kernel runs processes; its stack is too small for this. */
static unsigned char registers[65536];

long ptrace(long request, long process, void *address, void *data)
{
    call *next = (call *)dlsym(RTLD_NEXT, "ptrace");
    const struct area *known = data;
    struct area all = {registers, sizeof registers};

    if (request != PTRACE_SETREGSET || address != NT_X86_XSTATE)
        return next(request, process, address, data);
    if (next(PTRACE_GETREGSET, process, address, &all) != 0)
        return -1;
    for (unsigned long i = 0; i < known->size && i < all.size; i++)
        registers[i] = known->bytes[i];
    return next(request, process, address, &all);
}
