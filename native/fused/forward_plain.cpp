#include "training.h"
#include "lanes_plain.h"

#define MDT_NAME(name) name##_plain
#define TILE_ROWS 4
#define TILE_PANELS 1
#include "forward.h"
#include "backward.h"
#include "adam.h"
