# Takes the code out of the READMEs: awk -v out=FOLDER -f extract.awk README.md core/README.md ...
# What a block of code is, a comment on the line before it says, which is not shown:
#
#   <!-- program: NAME -->  a program, or a part of one: the parts of a name make NAME.cpp, in their order;
#                           a ```text block that follows is what the program prints, NAME.text
#   <!-- from: PATH -->     lines that stand in that file of the project, LINE.from
#   <!-- table: NAME -->    before a table: NAME.cpp runs each piece of code in its last column, with the
#                           variables of tests/readme/names.h
#
# A ```sh block needs no comment: it holds commands, LINE.sh. Any other code is a fault, LINE.unknown.
# LINE is the README and the line, as core_README-20. The first line of .from and .unknown is the path or the
# reason.

function place(name) {
  name = FILENAME
  gsub("/", "_", name)
  sub(/\.md$/, "", name)
  return name "-" FNR
}

function unknown(reason) {
  file = out "/" place() ".unknown"
  print reason > file
}

# A program is compiled under its own name, so that the lines in its messages are those of the program.
function begin_program(name) {
  file = out "/" name ".cpp"
  if (!(name in programs)) print "#line 1 \"" name ".cpp\"" > file
  programs[name] = file
}

# The code in the last cell of a table's row, a block each.
function row(line, cells, n, code, i) {
  n = split(line, cells, "|")
  n = split(cells[n - 1], code, "`")
  for (i = 2; i <= n; i += 2) print "    { " code[i] "; }" > file
}

FNR == 1 {
  note = printed = ""
  inside = in_table = 0
  blank = 1
}

inside && /^ *(```|~~~)$/ { inside = 0; blank = 0; next }
inside { print > file; next }

/^<!-- (program|from|table): [^ ]+ -->$/ { note = $2; value = $3; next }

/^ *(```|~~~)/ {
  inside = 1
  language = $0
  program = printed
  printed = ""
  if (language ~ /^```cpp$/ && note == "program:") {
    begin_program(value)
    printed = value
  } else if (language ~ /^```[a-z]+$/ && note == "from:") {
    file = out "/" place() ".from"
    print value > file
  } else if (language ~ /^```text$/ && note == "" && program != "") {
    file = out "/" program ".text"
  } else if (language ~ /^```sh$/ && note == "") {
    file = out "/" place() ".sh"
  } else {
    unknown("a block that begins with " language ", " (note == "" ? "without a comment" : "after " note " " value))
  }
  note = ""
  next
}

note == "table:" && /^\|/ {
  begin_program(value)
  tables[value] = file
  print "#include \"tests/readme/names.h\"\nstruct Table : Names {\n  void run() {" > file
  in_table = 1
  rows = 0
  note = ""
}
!/^\|/ { in_table = 0 }
in_table && ++rows > 2 { row($0) }  # the first two are the heading

note != "" { unknown("nothing stands below " note " " value); }
{ note = "" }

blank && /^(    |\t)/ { unknown("an indented block of code") }
{ blank = /^$/ }

END {
  for (name in tables) print "  }\n};\nint main() { Table().run(); }" > tables[name]
}
