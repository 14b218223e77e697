#include "common/http/answer_fault.h"

#include "common/http/head_grammar.h"

namespace pilotlight::http {
namespace {

const char* text(AnswerFault fault) noexcept {
  switch (fault) {
    case AnswerFault::no_answer: return "closed the connection before it answered";
    case AnswerFault::head_cut_short: return "closed the connection inside its response head";
    case AnswerFault::status_line: return "sent a malformed status line";
    case AnswerFault::field: return "sent a malformed header field";
    case AnswerFault::ambiguous_length: return "sent an ambiguous length";
    case AnswerFault::head_too_large: return "sent a response head too large to pass on";
    case AnswerFault::chunk: return "sent a malformed chunk";
    case AnswerFault::unasked_switch: return "switched protocols unasked";
  }
  return "failed";
}

class AnswerCategory final : public boost::system::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "answer"; }
  [[nodiscard]] std::string message(int value) const override {
    return text(static_cast<AnswerFault>(value));
  }
};

bool begins_with_status_line(std::string_view bytes) noexcept {
  using Step = HeadCursor::Step;
  HeadCursor cursor(bytes);
  unsigned number = 0;
  Step step = cursor.version(number);
  if (step == Step::ok) step = cursor.space();
  if (step == Step::ok) step = cursor.status(number);
  if (step == Step::ok) step = cursor.reason();
  return step == Step::ok;
}

}  // namespace

const boost::system::error_category& answer_category() noexcept {
  static const AnswerCategory category;
  return category;
}

ErrorCode make_error_code(AnswerFault fault) noexcept {
  return ErrorCode(static_cast<int>(fault), answer_category());
}

AnswerFault fault_of_head(std::string_view bytes, const ResponseHead& head,
                          const ErrorCode& error) noexcept {
  if (error == FlowError::head_too_large) return AnswerFault::head_too_large;
  if (!begins_with_status_line(bytes)) return AnswerFault::status_line;
  const bool sized = head.has(FieldKind::content_length) || head.has(FieldKind::transfer_encoding);
  const bool fields_end = !head.text.empty();  // what they say together was refused
  if (fields_end && sized && head.framing == Framing::until_close) {
    return AnswerFault::ambiguous_length;
  }
  return AnswerFault::field;
}

}  // namespace pilotlight::http
