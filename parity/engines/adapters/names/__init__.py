"""Operations in the functions of other libraries: a table for each library.

``NAMES`` holds for the name of an operation an expression over its operands and attributes, in the
library's own functions. An operation that is missing is not in the library, or means another
function there.
"""
