#include "config/manifest_items.h"

#include "config/json_reader.h"

namespace pilotlight::config {
namespace {

/// An item with the lines of its own parts.
Document item_of(const Document& list, const nlohmann::json& value, std::size_t index) {
  const std::string path = join("items", index);
  Document item;
  item.value = value;
  item.file = list.file;
  item.item = list.item.empty() ? path : join(list.item, path);
  for (auto at = list.lines.lower_bound(path);
       at != list.lines.end() && at->first.starts_with(path); ++at) {
    const std::size_t begin = path.size() + (at->first[path.size()] == '.' ? 1 : 0);
    item.lines.emplace(at->first.substr(begin), at->second);
  }
  return item;
}

void add_objects(const Document& document, std::vector<Document>& out, Problems& problems) {
  Report report([&document](const std::string& path) { return document.at(path); });
  ObjectReader root(&document.value, "", report, Unknown::ignored);
  std::string kind;
  std::string version;
  if (document.value.is_object()) {
    kind = root.needed_text("kind", "the kind of an object, as Deployment");
    version = root.needed_text("apiVersion", "the version of its kind, as apps/v1");
  }
  const bool list = kind == "List" && version == "v1";
  const nlohmann::json::array_t* items = list ? &root.list("items") : nullptr;
  if (list && items->empty() && report.problems().empty()) {
    report.wrong("items", "none", "one at least");
  }
  problems.insert(problems.end(), report.problems().begin(), report.problems().end());
  if (!report.problems().empty()) return;
  if (!list) return out.push_back(document);
  for (std::size_t i = 0; i < items->size(); ++i) {
    add_objects(item_of(document, (*items)[i], i), out, problems);
  }
}

}  // namespace

std::vector<Document> objects_of(const std::vector<Document>& documents, Problems& problems) {
  std::vector<Document> out;
  for (const Document& document : documents) add_objects(document, out, problems);
  return out;
}

}  // namespace pilotlight::config
