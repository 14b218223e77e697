// The one translation unit that carries the bodies of Asio.
#include <boost/asio/impl/src.hpp>
