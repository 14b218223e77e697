// The one translation unit that carries the bodies of Beast.
#include <boost/beast/src.hpp>
