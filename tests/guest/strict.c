/* orrery.h must be good C11 and C++17 under the strictest warnings; compiled only. */
#include <orrery.h>

int main(void) { return orr_abi(ORR_ABI, 0); }
