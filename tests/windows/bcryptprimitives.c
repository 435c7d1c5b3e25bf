/* A stand-in for Windows' bcryptprimitives.dll, which Rust's standard library loads at start and Wine 8 does not have.
 * Only for tests under Wine: it is never shipped. */
#include <windows.h>

/* RtlGenRandom of advapi32, under the name it is exported by. */
BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T length)
{
    const SIZE_T most = 1 << 20; /* the length of SystemFunction036 has 32 bits, ours has 64 */
    while (length > 0) {
        const ULONG part = (ULONG)(length < most ? length : most);
        if (!SystemFunction036(buffer, part))
            return FALSE;
        buffer += part;
        length -= part;
    }
    return TRUE;
}
