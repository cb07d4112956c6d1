#if defined(__x86_64__)
#include "training.h"
#include "lanes_avx2.h"

#define MDT_NAME(name) name##_avx2
#define TILE_ROWS 6
#define TILE_PANELS 1
#include "forward.h"
#include "backward.h"
#include "adam.h"
#endif
