. "$1" # What the test library does, as specs of its own.

o provider test "$kit/specs" --tap
[ $? -eq 0 ] || echo "not ok the specs end well"
