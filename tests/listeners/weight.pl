# Takes so many megabytes, and stays.
#
# In: the number, a program that says hello for it, and perhaps the command line of a child that it starts first. Out: nothing.
use strict;
use warnings;

my ($megabytes, $says, @child) = @ARGV;
my $load = 'x' x ($megabytes << 20);
if (@child && fork() == 0) {
    exec @child or die "$child[0]: $!";
}
system($says, 'hello') == 0 or die "$says does not say hello";
sleep while length $load || @child;
