# A C++ header that names every function of ops/ops.h's headers that may return Vars, and every such method of
# the random generators: awk -f declared_ops.awk ops/ops.h ops/*.h
# A function becomes two generic lambdas, so that the test can ask what it can be called with: the arguments
# alone, and with {2, 2} behind them.

function forwarded(call, last) {
  return "[](const auto&... a) -> decltype(" call "(a..." last ")) { return " call "(a..." last "); }"
}

function declared(text, owner, name) {
  if (text ~ /override/) return  # its base has it
  name = text
  sub(/\(.*/, "", name)
  sub(/.*[ >]/, "", name)
  if (name ~ /^operator/ || (owner, name) in seen) return
  seen[owner, name] = 1
  if (owner == "")
    print "  visit.function(\"" FILENAME "\", \"" name "\", " forwarded("damo::" name, "") ",\n    " \
      forwarded("damo::" name, ", {2, 2}") ");"
  else
    print "  visit.method(\"" FILENAME "\", \"" owner "::" name "\", " \
      "[](auto& s, const auto& a) -> decltype(s." name "(a)) { return s." name "(a); },\n    " \
      "[](auto& s) -> decltype(s." name "({})) { return s." name "({}); });"
}

BEGIN {
  print "template <class Visitor>\nvoid visit_declared(Visitor& visit) {"
  returned = "([A-Z][A-Za-z]*|std::(pair|array|vector)<.*Var.*>) [a-z_0-9]+\\("
}
FILENAME == "ops/ops.h" {
  if (/^#include "/ && !/"\.\./) users["ops/" substr($2, 2, length($2) - 2)] = 1
  next
}
FNR == 1 { owner = text = ""; public = 1 }
!(FILENAME in users) || FILENAME ~ /^ops\/(grad|jacobian|optimizers)\.h$/ { next }  # those differentiate

{ sub(/ *\/\/.*/, "") }
/^(class|struct) .*[{]$/ { owner = $2; public = /^struct/ }
/^};/ { owner = "" }
/^ (public|private|protected):/ { public = /public/ }

text == "" && owner == "" && $0 ~ "^(inline )?" returned { text = $0 }
text == "" && owner ~ /Streams$/ && public && $0 ~ "^  (virtual )?" returned { text = $0 }
text != "" {
  if (text != $0) text = text " " $0
  if (/[;{]$|}$/) {
    declared(text, owner)
    text = ""
  }
}
END { print "}" }
