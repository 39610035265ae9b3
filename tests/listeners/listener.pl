# A listener in Perl, which reads bytes. Out: type and payload of each event, in hexadecimal, in the file that it is given.
use strict;
use warnings;
use IO::Handle;

open(my $heard, '>', $ARGV[0]) or die "$ARGV[0]: $!";
$heard->autoflush(1);
STDOUT->autoflush(1);
binmode(STDIN);
while (1) {
    print "READY\n";
    my $line = <STDIN> // last;
    my %header = map { split /:/, $_, 2 } split ' ', $line;
    my $payload = '';
    read(STDIN, $payload, $header{len}) == $header{len} or last;
    print $heard "$header{eventname} ", unpack('H*', $payload), "\n";
    print "RESULT 2\nOK";
}
