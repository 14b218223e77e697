#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

namespace pilotlight::controller {

/// Namespace and name.
using Key = std::pair<std::string, std::string>;

/// Who is filed under what: any number of objects under one place, and one under many.
template <class Place>
class KeyIndex {
 public:
  void add(const Place& place, const Key& key) { places_[place].insert(key); }

  void remove(const Place& place, const Key& key) {
    const auto found = places_.find(place);
    if (found == places_.end()) return;
    found->second.erase(key);
    if (found->second.empty()) places_.erase(found);
  }

  /// In the order of keys; empty for a place that nobody has. Good until the index changes.
  [[nodiscard]] const std::set<Key>& at(const Place& place) const {
    static const std::set<Key> nobody;
    const auto found = places_.find(place);
    return found == places_.end() ? nobody : found->second;
  }

 private:
  std::map<Place, std::set<Key>> places_;
};

}  // namespace pilotlight::controller
