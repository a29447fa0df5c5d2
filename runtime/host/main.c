/* The program `orrery`: an ordinary user of liborrery. */
#include "host/cli.h"

int main(int argc, char **argv) {
  return orr__cli_main(argc, argv);
}
