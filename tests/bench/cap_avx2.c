/* Preloaded into a program (LD_PRELOAD), hides AVX-512 and VNNI from it, so that peers which ask the processor alone can
 * be measured as on a machine with AVX2 only.
 *
 * The kernel lets CPUID fault in user space where processor and host allow it (arch_prctl, "CPUID faulting");
 * the handler answers without those bits.  Everything else runs at full speed.  Without such a processor the program ends with
 * exit status 77: uncapped figures under a capped name would be worse than none. */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <cpuid.h>
#include <dlfcn.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ALLOW 1
#define FAULT 0

/* Of leaf 7: AVX-512 F, DQ, IFMA, PF, ER, CD, BW, VL; VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ; 4VNNIW, 4FMAPS, VP2INTERSECT,
 * AMX, FP16.  Of its subleaf 1: AVX-VNNI, AVX512-BF16. */
#define EBX_7 (1u << 16 | 1u << 17 | 1u << 21 | 7u << 26 | 3u << 30)
#define ECX_7 (1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14)
#define EDX_7 (1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25)
#define EAX_7_1 (1u << 4 | 1u << 5)

static long
set_cpuid(long mode)
{
    return syscall(SYS_arch_prctl, ARCH_SET_CPUID, mode);
}

static void
on_fault(int sig, siginfo_t *info, void *context)
{
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned leaf = (unsigned)r[REG_RAX], sub = (unsigned)r[REG_RCX];
    unsigned a, b, c, d;

    (void)info;
    if (memcmp((const void *)r[REG_RIP], "\x0F\xA2", 2) != 0) { /* not CPUID: die of it */
        signal(sig, SIG_DFL);
        return;
    }
    set_cpuid(ALLOW);
    __cpuid_count(leaf, sub, a, b, c, d);
    set_cpuid(FAULT);
    if (leaf == 7 && sub == 0)
        b &= ~EBX_7, c &= ~ECX_7, d &= ~EDX_7;
    if (leaf == 7 && sub == 1)
        a &= ~EAX_7_1;
    r[REG_RAX] = a, r[REG_RBX] = b, r[REG_RCX] = c, r[REG_RDX] = d;
    r[REG_RIP] += 2;
}

/* Programs with a handler of their own (Node.js) must not replace ours. */
__attribute__((visibility("default"))) int
sigaction(int sig, const struct sigaction *new, struct sigaction *old)
{
    int (*real)(int, const struct sigaction *, struct sigaction *) = NULL;

    *(void **)&real = dlsym(RTLD_NEXT, "sigaction");
    return real(sig, sig == SIGSEGV && (new == NULL || new->sa_sigaction != on_fault) ? NULL : new,
                old);
}

__attribute__((constructor)) static void
cap(void)
{
    struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};

    if (sigaction(SIGSEGV, &a, NULL) != 0 || set_cpuid(FAULT) != 0)
        _exit(77);
}
