-- everyCrash: a scenario once per durable step and once per outside call, dying there.
return function() error("everyCrash needs the mocks of this library, which are not there yet", 2) end
